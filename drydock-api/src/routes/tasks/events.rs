//! `GET /tasks/{id}/events`: what happens to a task, as it happens, as server-sent events (WHATWG HTML, "Server-sent events").
//!
//! The ids are the numbers under which the store keeps the events, so that a client may go on with another instance, or after a restart.
//! One event of the store becomes several of the stream: what was said first, then what happened, which carries the id. A client that
//! was cut off in between is told all of it again, and misses nothing.

use std::io;
use std::time::Duration;

use actix_web::http::Method;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use drydock_model::event::{Happened, TaskEvent};
use drydock_model::id::TaskId;
use drydock_model::store::{StoreError, StoreResult, Wake};
use drydock_model::task::TaskStatus;
use drydock_orchestrator::{outcome, progress};
use futures::stream;
use serde_json::{Value, json};
use tracing::warn;

use super::{find, refuse_part};
use crate::error::ApiError;
use crate::query::Query;
use crate::request::header;
use crate::server::Closing;
use crate::state::ApiState;

/// Events read at once.
const BATCH: i64 = 200;

/// Between two looks at a task on which very much happens.
const GAP: Duration = Duration::from_millis(50);

/// A line at least so often, so that neither end takes a quiet connection for a dead one; also the net under the store's wake-ups.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Between two counts of how far the task is.
const COUNT_EVERY: Duration = Duration::from_secs(1);

/// To count takes the whole task; never more than this share of the time.
const COUNTING_SHARE: u32 = 20;

pub(crate) async fn events(
    state: web::Data<ApiState>,
    closing: web::Data<Closing>,
    request: HttpRequest,
    path: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    Query::new(&request, &[])?;
    let after = last_event_id(&request)?;
    let (id, tree) = find(&state, &path).await?;
    refuse_part(id, &tree, "watch")?;
    let mut response = HttpResponse::Ok();
    response
        .insert_header((CONTENT_TYPE, "text/event-stream"))
        .insert_header((CACHE_CONTROL, "no-store"));
    if request.method() == Method::HEAD {
        return Ok(response.finish());
    }
    let watcher = Watcher {
        wake: state.store.subscribe().await?,
        status: tree.task.status,
        count_at: Duration::ZERO,
        over: false,
        state,
        closing,
        task: id,
        after,
    };
    let pieces = stream::unfold(watcher, async |mut watcher| {
        let piece = watcher.next().await?;
        Some((Ok::<_, io::Error>(Bytes::from(piece)), watcher))
    });
    Ok(response.streaming(Box::pin(pieces)))
}

/// From which event on; none: from the first.
fn last_event_id(request: &HttpRequest) -> Result<i64, ApiError> {
    const NAME: &str = "Last-Event-ID";
    if !request.headers().contains_key(NAME) {
        return Ok(0);
    }
    header(request, NAME)
        .and_then(|text| text.trim().parse().ok())
        .filter(|id| *id >= 0)
        .ok_or_else(|| {
            ApiError::bad_request(format!(
                "{NAME}: the id of an event of this task is a number from 1 on"
            ))
        })
}

/// One client and how far it is.
struct Watcher {
    state: web::Data<ApiState>,
    closing: web::Data<Closing>,
    wake: Box<dyn Wake>,
    task: TaskId,
    after: i64,
    /// As last told.
    status: TaskStatus,
    /// When to count next, by the monotonic clock.
    count_at: Duration,
    over: bool,
}

impl Watcher {
    /// The next piece of the stream; `None`: it ends.
    async fn next(&mut self) -> Option<String> {
        let mut silent = false;
        while !self.over && !self.closing.0.is_cancelled() {
            match self.look().await {
                Ok(text) if !text.is_empty() => return Some(text),
                Ok(_) if silent => return Some(": nothing new\n\n".into()),
                Ok(_) => {}
                // Deleted meanwhile.
                Err(StoreError::NotFound) => return None,
                Err(error) => warn!(task = %self.task, %error, "events could not be read"),
            }
            let clock = &self.state.clock;
            tokio::select! {
                () = self.closing.0.cancelled() => return None,
                () = self.wake.changed() => clock.sleep(GAP).await,
                () = clock.sleep(KEEP_ALIVE) => silent = true,
            }
        }
        None
    }

    /// What has happened since the last look.
    async fn look(&mut self) -> StoreResult<String> {
        let store = &self.state.store;
        let events = store.task_events(self.task, self.after, BATCH).await?;
        let mut text = String::new();
        let mut told = false;
        for event in &events {
            told = false;
            if let Happened::Task(status) = event.what {
                self.status = status;
                told = status.is_final();
            }
            if told {
                self.end(&mut text, Some(event)).await?;
            } else {
                render(&mut text, self.task, event);
            }
            self.after = event.seq;
        }
        let all = i64::try_from(events.len()).is_ok_and(|count| count < BATCH);
        if all && self.status.is_final() {
            self.over = true;
            // Everything was told before, or the task is older than its events.
            if !told {
                self.end(&mut text, None).await?;
            }
        } else if !events.is_empty() {
            self.count(&mut text).await?;
        }
        Ok(text)
    }

    /// How the task ended, and what came of it.
    async fn end(&self, text: &mut String, event: Option<&TaskEvent>) -> StoreResult<()> {
        let tree = self.state.store.tree(self.task).await?;
        let outcome = outcome::of_tree(&tree);
        let now = self.state.clock.now();
        write(
            text,
            None,
            "progress",
            &json!(progress::of_tree(&tree, now)),
        );
        for message in event.iter().flat_map(|event| &event.messages) {
            write(text, None, "message", &json!(message));
        }
        let data = json!({
            "task_id": self.task,
            "status": self.status,
            "at": event.map_or(tree.task.updated, |event| event.at),
            "result": {
                "status": outcome.result,
                "successes": outcome.successes,
                "failures": outcome.failures,
            },
        });
        write(text, event.map(|event| event.seq), "status", &data);
        Ok(())
    }

    /// How far the task is, if that was not told a moment ago.
    async fn count(&mut self, text: &mut String) -> StoreResult<()> {
        let clock = &self.state.clock;
        let begun = clock.monotonic();
        if begun < self.count_at {
            return Ok(());
        }
        let tree = self.state.store.tree(self.task).await?;
        let counted = progress::of_tree(&tree, clock.now());
        write(text, None, "progress", &json!(counted));
        let now = clock.monotonic();
        let took = now.saturating_sub(begun);
        self.count_at = now + COUNT_EVERY.max(took.saturating_mul(COUNTING_SHARE));
        Ok(())
    }
}

fn render(text: &mut String, task: TaskId, event: &TaskEvent) {
    for message in &event.messages {
        write(text, None, "message", &json!(message));
    }
    match &event.what {
        Happened::Task(status) => {
            let data = json!({"task_id": task, "status": status, "at": event.at});
            write(text, Some(event.seq), "status", &data);
        }
        Happened::Step {
            id,
            node,
            action,
            status,
            attempt,
            waiting_for,
        } => {
            let data = json!({
                "task_id": id, "node": node, "action": action, "status": status,
                "attempt": attempt, "waiting_for": waiting_for, "at": event.at,
            });
            write(text, Some(event.seq), "step", &data);
        }
    }
}

/// One event of the stream. JSON on one line holds no line break, which is all that has to be kept out.
fn write(text: &mut String, id: Option<i64>, name: &str, data: &Value) {
    if let Some(id) = id {
        text.push_str(&format!("id: {id}\n"));
    }
    text.push_str(&format!("event: {name}\ndata: {data}\n\n"));
}
