//! `POST /tasks/{id}/confirm`: an operator answers what a step asked to be done by hand.

use actix_web::{HttpRequest, HttpResponse, web};
use drydock_model::operator::{OperatorAnswer, OperatorRequest};
use drydock_model::step::Step;
use serde::Deserialize;
use serde_json::Value;

use super::{below, find, idempotency_key};
use crate::body;
use crate::error::ApiError;
use crate::query::Query;
use crate::request::end_user;
use crate::state::ApiState;
use crate::wire::task::answer_for;

/// Longest message, in characters: it is shown with the task.
const LONGEST_MESSAGE: usize = 4096;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfirmBody {
    node: Option<Value>,
    done: Option<Value>,
    #[serde(default)]
    message: Option<Value>,
}

/// Answers the open request about a node, of the task or the part of it that the path names. The same answer again, or one with an
/// `Idempotency-Key` that was taken already, changes nothing.
pub(in super::super) async fn confirm(
    state: web::Data<ApiState>,
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    Query::new(&request, &[])?;
    let wanted: ConfirmBody = body::json(&request, payload, state.max_body).await?;
    let node = body::field::<String>("node", wanted.node)?
        .ok_or_else(|| ApiError::bad_request("node is missing"))?;
    let done = body::field::<bool>("done", wanted.done)?
        .ok_or_else(|| ApiError::bad_request("done is missing: true or false"))?;
    let message = body::field::<String>("message", wanted.message)?.unwrap_or_default();
    if message.chars().count() > LONGEST_MESSAGE {
        return Err(ApiError::bad_request(format!(
            "message: at most {LONGEST_MESSAGE} characters are taken"
        )));
    }
    let key = idempotency_key(&request)?;
    let (id, tree) = find(&state, &path).await?;
    let steps: Vec<&Step> = below(&tree, id)
        .filter(|step| step.node.as_deref() == Some(node.as_str()))
        .collect();
    if steps.is_empty() {
        return Err(ApiError::not_found(format!(
            "task {id} is not about a node {node:?}"
        )));
    }
    let mut asked = state.store.operator_requests(tree.task.id).await?;
    asked.retain(|one| steps.iter().any(|step| step.id == one.step));
    let was_taken = |one: &OperatorRequest| {
        let given = one.answer.as_ref().and_then(|given| given.key.as_ref());
        key.is_some() && given == key.as_ref()
    };
    if !asked.iter().any(was_taken) {
        let is_open = |one: &&OperatorRequest| {
            let ended = |step: &&Step| step.id == one.step && step.status.is_final();
            one.answer.is_none() && !steps.iter().any(ended)
        };
        let one = asked.iter().find(is_open).or(asked.last()).ok_or_else(|| {
            ApiError::conflict(format!(
                "task {id} has asked nobody to do anything about {node}"
            ))
        })?;
        let answer = OperatorAnswer {
            done,
            message,
            by: end_user(&request).to_owned(),
            key,
        };
        state.store.answer_operator(one.step, &answer).await?;
    }
    let tree = state.store.tree(id).await?;
    Ok(HttpResponse::Ok().json(answer_for(&tree, id, state.clock.now())))
}
