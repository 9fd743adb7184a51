//! How a task goes through its nodes: how many at once, which first, in which groups, and when it stops.

use serde::{Deserialize, Serialize};

/// What the nodes of a task are grouped by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GroupBy {
    /// Their rack.
    Rack,
    /// The value of this key of their owner data (`{"label": "key"}`).
    Label(String),
}

/// The strategy of a task. Nothing set: all nodes side by side, whatever becomes of them.
///
/// The planner makes stages of canaries and groups; the store enforces the rest in the queue, so that no instance can exceed it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Strategy {
    /// Most nodes at once. A node counts from when it may begin to when it has ended, also while it waits for another task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_in_flight: Option<u32>,
    /// So many nodes go first, and the others only when all of these came through. They are the plan's first stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<u32>,
    /// No further node is begun once at least so many percent of the task's nodes have failed; 0: once one has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_at_failures_percent: Option<u32>,
    /// Groups go one after another, in the order in which the design first names one of each; nodes without the criterion last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_by: Option<GroupBy>,
}

impl Strategy {
    /// Refuses what makes no sense.
    ///
    /// # Errors
    /// A sentence naming the field.
    pub fn check(&self) -> Result<(), String> {
        for (field, value) in [
            ("max_in_flight", self.max_in_flight),
            ("canary", self.canary),
        ] {
            if value == Some(0) {
                return Err(format!(
                    "strategy.{field} is 0: a number of nodes from 1 on, or leave it out"
                ));
            }
        }
        match self.stop_at_failures_percent {
            Some(percent) if percent > 100 => {
                return Err(format!(
                    "strategy.stop_at_failures_percent {percent} is outside of 0..=100"
                ));
            }
            _ => {}
        }
        match &self.group_by {
            Some(GroupBy::Label(key)) if key.is_empty() => {
                Err("strategy.group_by.label is empty: name a key of the nodes' owner data".into())
            }
            _ => Ok(()),
        }
    }

    /// Whether so many failures among so many nodes are too many to begin another.
    #[must_use]
    pub fn stops_at(&self, failed: u64, of: u64) -> bool {
        self.stop_at_failures_percent.is_some_and(|percent| {
            failed > 0 && failed.saturating_mul(100) >= u64::from(percent).saturating_mul(of)
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn it_is_written_as_the_api_has_it() {
        let text = r#"{"max_in_flight":5,"canary":1,"stop_at_failures_percent":20,"group_by":{"label":"row"}}"#;
        let strategy: Strategy = serde_json::from_str(text).unwrap();
        assert_eq!(strategy.group_by, Some(GroupBy::Label("row".into())));
        assert_eq!(serde_json::to_string(&strategy).unwrap(), text);
        let by_rack: Strategy = serde_json::from_str(r#"{"group_by":"rack"}"#).unwrap();
        assert_eq!(by_rack.group_by, Some(GroupBy::Rack));
        assert!(serde_json::from_str::<Strategy>(r#"{"max_inflight":5}"#).is_err());
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        let of = |text: &str| {
            let strategy: Strategy = serde_json::from_str(text).unwrap();
            strategy.check()
        };
        for (text, field) in [
            (r#"{"max_in_flight":0}"#, "strategy.max_in_flight"),
            (r#"{"canary":0}"#, "strategy.canary"),
            (
                r#"{"stop_at_failures_percent":101}"#,
                "strategy.stop_at_failures_percent",
            ),
            (r#"{"group_by":{"label":""}}"#, "strategy.group_by.label"),
        ] {
            let refused = of(text).unwrap_err();
            assert!(refused.contains(field), "{refused}");
        }
        assert_eq!(
            of(r#"{"max_in_flight":1,"canary":1,"stop_at_failures_percent":0}"#),
            Ok(())
        );
    }

    #[test]
    fn it_stops_when_the_share_is_reached() {
        let at = |percent| Strategy {
            stop_at_failures_percent: Some(percent),
            ..Strategy::default()
        };
        for (percent, failed, of, stops) in [
            (20, 1, 10, false),
            (20, 2, 10, true),
            (0, 0, 10, false),
            (0, 1, 1000, true),
            (100, 9, 10, false),
            (100, 10, 10, true),
            (33, 1, 3, true),
            (34, 1, 3, false),
        ] {
            assert_eq!(
                at(percent).stops_at(failed, of),
                stops,
                "{failed} of {of} at {percent} %"
            );
        }
        assert!(!Strategy::default().stops_at(10, 10));
    }
}
