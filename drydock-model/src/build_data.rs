//! Build data: what was found out about a machine, kept for those who look later.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::id::TaskId;
use crate::tree::{REDACTED, is_secret_key};

/// Of each generator and node so many are kept, the newest.
pub const KEPT: usize = 5;

/// What a step collected, as its driver gives it. It holds no secret: a driver puts none in, and of JSON whatever stands under the name of
/// one is left out when it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Collected {
    /// What made it: `lshw`, `lldp`, `ipmi_inventory`. A step gives at most one of each.
    pub generator: String,
    /// The thing itself.
    pub element: Element,
}

/// A piece of build data by its format.
#[derive(Clone, Debug, PartialEq)]
pub enum Element {
    /// `application/json`.
    Json(Value),
    /// Text as it came, of this media type.
    Text {
        /// Such as `text/plain`.
        media_type: String,
        /// The text.
        text: String,
    },
}

impl Element {
    /// Format and text as they are kept.
    #[must_use]
    pub fn into_parts(self) -> (String, String) {
        match self {
            Element::Json(mut value) => {
                redact(&mut value);
                ("application/json".to_owned(), value.to_string())
            }
            Element::Text { media_type, text } => (media_type, text),
        }
    }
}

/// Build data as it is kept and as the API shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildData {
    /// The node.
    pub node_name: String,
    /// What made it.
    pub generator: String,
    /// When, by the clock of the instance that collected it.
    pub collected_date: DateTime<Utc>,
    /// The step (a subtask) that collected it.
    pub task_id: TaskId,
    /// Media type of `data_element`.
    pub data_format: String,
    /// The data, as text.
    pub data_element: String,
}

/// Leaves out of a value what stands under the name of a secret.
pub fn redact(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (key, member) in members {
                if is_secret_key(key) && !member.is_null() {
                    *member = Value::from(REDACTED);
                } else {
                    redact(member);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(redact),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_named_as_a_secret_is_not_kept() {
        let element = Element::Json(json!({"lan": [{"password": "p1", "vlan": 7}]}));
        let (format, text) = element.into_parts();
        assert_eq!(format, "application/json");
        assert_eq!(text, r#"{"lan":[{"password":"********","vlan":7}]}"#);
    }
}
