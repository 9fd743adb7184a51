//! `parameters` of a task's request: what the action is to do, where that needs saying.

use drydock_model::oob::{OobCommand, OobVerb};
use drydock_model::task::TaskAction;
use serde_json::Value;

use crate::body;
use crate::error::ApiError;

/// What `oob_nodes` is to do; `None` for every other action, which takes no parameters.
pub(super) fn parse(
    value: Option<Value>,
    action: TaskAction,
) -> Result<Option<OobCommand>, ApiError> {
    if matches!(&value, Some(value) if !value.is_object() && !value.is_null()) {
        return Err(ApiError::bad_request(
            "parameters: a JSON object is expected",
        ));
    }
    let command = match action {
        TaskAction::OobNodes => body::field::<OobCommand>("parameters", value)?,
        _ if value.is_none_or(|value| value.is_null()) => return Ok(None),
        _ => {
            return Err(ApiError::bad_request(format!(
                "parameters: {action} takes none"
            )));
        }
    };
    command.map(Some).ok_or_else(|| {
        let verbs: Vec<_> = OobVerb::ALL.iter().map(|verb| verb.as_str()).collect();
        ApiError::bad_request(format!(
            "parameters is missing: {action} needs a verb, one of {}",
            verbs.join(", ")
        ))
    })
}
