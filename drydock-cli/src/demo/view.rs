//! The live view: a line for the site and one for each node.

use std::collections::BTreeMap;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::Value;

use crate::demo::course::Fate;

/// Lines on the terminal, or none.
pub struct View {
    screen: MultiProgress,
    site: ProgressBar,
    nodes: BTreeMap<String, ProgressBar>,
}

impl View {
    /// A view of these nodes; hidden where nobody looks (no terminal, or `shown` false).
    pub fn new(names: &[String], shown: bool) -> Self {
        let screen = MultiProgress::with_draw_target(if shown {
            ProgressDrawTarget::stdout()
        } else {
            ProgressDrawTarget::hidden()
        });
        let width = names.iter().map(String::len).max().unwrap_or(0).max(4);
        let line = |prefix: &str| {
            let bar = screen.add(ProgressBar::new_spinner());
            // A template without faults: tested below.
            if let Ok(style) = ProgressStyle::with_template("{prefix} {wide_msg}") {
                bar.set_style(style);
            }
            bar.set_prefix(format!("{prefix:width$}"));
            bar
        };
        let site = line("site");
        let nodes = names
            .iter()
            .map(|name| (name.clone(), line(name)))
            .collect();
        View {
            screen,
            site,
            nodes,
        }
    }

    /// What the task as a whole is at.
    pub fn site(&self, action: &str, progress: &Value, seconds: f64) {
        self.site.set_message(format!(
            "{seconds:6.1} s  {action}: {} of {} steps",
            progress["done"], progress["total"]
        ));
        self.site.tick();
    }

    /// What a node is at.
    pub fn node(&self, name: &str, phase: &str, seconds: f64, fate: Fate) {
        let Some(line) = self.nodes.get(name) else {
            return;
        };
        let text = match fate {
            Fate::OnItsWay => format!("{seconds:6.1} s  {phase}"),
            Fate::Deployed => format!("{seconds:6.1} s  deployed"),
            Fate::Failed => format!("{seconds:6.1} s  {phase}"),
        };
        line.set_message(text);
        line.tick();
    }

    /// Leaves the terminal to the summary.
    pub fn close(&self) {
        // A terminal that went away in the meantime is nobody's loss.
        let _ = self.screen.clear();
    }
}

#[cfg(test)]
mod tests {
    use indicatif::ProgressStyle;

    #[test]
    fn the_template_is_one() {
        assert!(ProgressStyle::with_template("{prefix} {wide_msg}").is_ok());
    }
}
