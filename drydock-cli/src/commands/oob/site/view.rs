//! What is seen while controllers are at work: a bar on a terminal, and what is asked of an operator.

use std::io::IsTerminal as _;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use crate::print;

/// How a message begins that asks an operator.
const ASKS: &str = "an operator is asked";

/// The view.
pub struct View(ProgressBar);

impl View {
    /// For so many nodes. Nothing is drawn where nobody looks.
    pub fn new(nodes: usize) -> Self {
        if !std::io::stderr().is_terminal() {
            return View(ProgressBar::hidden());
        }
        let bar = ProgressBar::new(u64::try_from(nodes).unwrap_or(u64::MAX));
        if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} {elapsed}") {
            bar.set_style(style);
        }
        View(bar)
    }

    /// An event as a server tells it.
    pub fn tell(&mut self, name: &str, data: &Value) {
        match name {
            "progress" => {
                let count = |field: &str| data[field].as_u64().unwrap_or(0);
                self.0.set_length(count("total"));
                self.0.set_position(count("done") + count("failed"));
            }
            "message" => self.say(&print::text(&data["message"])),
            _ => {}
        }
    }

    /// So many nodes have ended.
    pub fn ended(&mut self, nodes: usize) {
        self.0
            .set_position(u64::try_from(nodes).unwrap_or(u64::MAX));
    }

    /// A message, if somebody has to act on it.
    pub fn say(&mut self, message: &str) {
        if message.starts_with(ASKS) {
            self.note(message);
        }
    }

    /// A line beside the bar.
    pub fn note(&mut self, line: &str) {
        self.0.suspend(|| eprintln!("{line}"));
    }

    /// Takes the bar away.
    pub fn close(self) {
        self.0.finish_and_clear();
    }
}
