//! `strategy` of a task's request, each field checked by itself so that what is wrong is named.

use drydock_model::strategy::Strategy;
use drydock_model::task::TaskAction;
use drydock_orchestrator::planner;
use serde::Deserialize;
use serde_json::Value;

use crate::body;
use crate::error::ApiError;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    max_in_flight: Option<Value>,
    #[serde(default)]
    canary: Option<Value>,
    #[serde(default)]
    stop_at_failures_percent: Option<Value>,
    #[serde(default)]
    group_by: Option<Value>,
}

/// The strategy of a request; `None` when nothing is set.
pub(super) fn parse(
    value: Option<Value>,
    action: TaskAction,
) -> Result<Option<Strategy>, ApiError> {
    if matches!(&value, Some(value) if !value.is_object() && !value.is_null()) {
        return Err(ApiError::bad_request("strategy: a JSON object is expected"));
    }
    let Some(written) = body::field::<Written>("strategy", value)? else {
        return Ok(None);
    };
    let strategy = Strategy {
        max_in_flight: body::field("strategy.max_in_flight", written.max_in_flight)?,
        canary: body::field("strategy.canary", written.canary)?,
        stop_at_failures_percent: body::field(
            "strategy.stop_at_failures_percent",
            written.stop_at_failures_percent,
        )?,
        group_by: match written.group_by {
            None | Some(Value::Null) => None,
            Some(value) => Some(serde_json::from_value(value).map_err(|_| {
                ApiError::bad_request(
                    "strategy.group_by: \"rack\" or {\"label\": \"key\"} is expected",
                )
            })?),
        },
    };
    strategy.check().map_err(ApiError::bad_request)?;
    if strategy == Strategy::default() {
        return Ok(None);
    }
    if !planner::is_node_scoped(action) {
        return Err(ApiError::bad_request(format!(
            "strategy: {action} is not about nodes, so there is nothing to go through"
        )));
    }
    Ok(Some(strategy))
}
