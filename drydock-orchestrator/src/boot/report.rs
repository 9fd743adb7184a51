//! What the reports of a deployed machine amount to.

use chrono::{DateTime, Utc};
use drydock_model::boot::{BootContext, BootStatus};
use drydock_model::task::{ContextType, Message};

/// What a `bootaction_report` step makes of a context.
pub(crate) enum Judgement {
    /// Nothing is outstanding, nothing failed.
    Done(String),
    /// Some failed or stayed silent; a sentence and a message for each.
    Failed(String, Vec<Message>),
    /// Some are outstanding.
    Wait(String),
}

/// Judges a context; `overdue`: what has not reported by now counts as silent.
pub(crate) fn judge(context: &BootContext, overdue: bool, now: DateTime<Utc>) -> Judgement {
    let named = |status: BootStatus| -> Vec<&str> {
        context
            .entries
            .iter()
            .filter(|entry| entry.status == status)
            .map(|entry| entry.name.as_str())
            .collect()
    };
    let (silent, failed) = (named(BootStatus::Incomplete), named(BootStatus::Failure));
    if !silent.is_empty() && !overdue {
        return Judgement::Wait(format!(
            "boot actions of {} to report: {}",
            context.node,
            silent.join(", ")
        ));
    }
    if silent.is_empty() && failed.is_empty() {
        let reported = named(BootStatus::Success).len();
        let unreported = named(BootStatus::Unreported).len();
        return Judgement::Done(format!(
            "boot actions of {}: {reported} reported success, {unreported} do not report",
            context.node
        ));
    }
    let message = |name: &str, text: &str| Message {
        message: format!("boot action {name} on {}: {text}", context.node),
        error: true,
        context_type: ContextType::BootAction,
        context: name.to_owned(),
        ts: now,
        extra: serde_json::Map::new(),
    };
    let mut messages: Vec<Message> = failed
        .iter()
        .map(|name| message(name, "reported failure"))
        .collect();
    messages.extend(silent.iter().map(|name| {
        message(name, "did not report before the deadline; is the machine up, and can it reach this server's api.public_url?")
    }));
    Judgement::Failed(
        format!(
            "{} boot action(s) of {} did not succeed",
            messages.len(),
            context.node
        ),
        messages,
    )
}
