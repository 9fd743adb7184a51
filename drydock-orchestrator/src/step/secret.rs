//! What goes into the journal of a change: everything but what stands under the name of a secret.
//!
//! Drivers look secrets up when they apply, so that a change holds none; this is the net beneath, for the driver that forgets.

use drydock_model::build_data::redact;
use drydock_model::change::Change;

/// The change as it may be written down.
pub(super) fn without_secrets(change: &Change) -> Change {
    let mut written = change.clone();
    redact(&mut written.before);
    redact(&mut written.after);
    written
}

#[cfg(test)]
mod tests {
    use drydock_model::change::Risk;
    use drydock_model::tree::REDACTED;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_named_as_a_secret_is_left_out() {
        let change = Change {
            target: "bmc 127.0.0.1".into(),
            verb: "set_user".into(),
            before: json!({"user": "a", "Password": null}),
            after: json!({"user": "a", "Password": "p1", "more": [{"api_token": {"x": "p2"}, "n": 1}]}),
            risk: Risk::Reversible,
            why: "the design says so".into(),
        };
        let written = without_secrets(&change);
        assert_eq!(written.before, change.before);
        assert_eq!(
            written.after,
            json!({"user": "a", "Password": REDACTED, "more": [{"api_token": REDACTED, "n": 1}]})
        );
        let Change {
            target, verb, why, ..
        } = written;
        assert_eq!(
            (target, verb, why),
            (change.target, change.verb, change.why)
        );
    }
}
