//! `drydock task watch`: follows a task's events, over restarts of the server and with whichever instance answers.

use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout_at};

use crate::client::Client;
use crate::exit::{Exit, Failure, is_passing};
use crate::print;

/// The server says something at least every 15 s; after this it is asked again.
const SILENCE: Duration = Duration::from_secs(45);

/// How long a server may be away.
const AWAY: Duration = Duration::from_secs(120);

/// Between two attempts to reach it.
const PAUSE: Duration = Duration::from_millis(500);

/// One event of the stream.
#[derive(Debug, Default, PartialEq)]
pub struct Event {
    id: Option<String>,
    /// `status`, `step`, `message`, `progress`.
    pub name: String,
    data: String,
}

/// Runs it.
pub async fn run(client: &Client, id: &str, timeout: Option<f64>, json: bool) -> Result<Exit> {
    let good = until_end(client, id, timeout, |event, data| tell(event, data, json)).await?;
    Ok(if good { Exit::Done } else { Exit::Failed })
}

/// Follows a task until it ends and tells each event; whether the task succeeded.
///
/// # Errors
/// Exit code 5 after so many seconds; what telling comes to.
pub async fn until_end(
    client: &Client,
    id: &str,
    timeout: Option<f64>,
    tell: impl FnMut(&Event, &Value) -> Result<()>,
) -> Result<bool> {
    let far = Duration::from_secs(10 * 365 * 86_400);
    let patience = timeout.map(Duration::try_from_secs_f64).transpose();
    let patience = patience
        .map_err(|error| Failure::error(Exit::Usage, format!("--timeout: {error}")))?
        .unwrap_or(far);
    let until = Instant::now() + patience.min(far);
    match timeout_at(until, follow(client, id, tell)).await {
        Ok(ended) => ended,
        Err(_elapsed) => Err(Failure::error(
            Exit::TimedOut,
            format!("task {id} has not ended; it goes on (drydock task watch {id})"),
        )),
    }
}

async fn follow(
    client: &Client,
    id: &str,
    mut told: impl FnMut(&Event, &Value) -> Result<()>,
) -> Result<bool> {
    let mut after: Option<String> = None;
    let mut answered = Instant::now();
    loop {
        let mut response = match client.events(id, after.as_deref()).await {
            Ok(response) => response,
            Err(error) if is_passing(&error) && answered.elapsed() < AWAY => {
                sleep(PAUSE).await;
                continue;
            }
            Err(error) => return Err(error),
        };
        let mut reader = Reader::default();
        // Cut off, silent or at its end: asked again from where we are, unless the task has ended.
        while let Ok(Ok(Some(piece))) = tokio::time::timeout(SILENCE, response.chunk()).await {
            answered = Instant::now();
            for event in reader.read(&piece) {
                if event.id.is_some() {
                    after.clone_from(&event.id);
                }
                let data: Value = serde_json::from_str(&event.data).unwrap_or(Value::Null);
                told(&event, &data)?;
                if event.name == "status" && !data["result"].is_null() {
                    return Ok(data["result"]["status"] == "success");
                }
            }
        }
        sleep(PAUSE).await;
    }
}

fn tell(event: &Event, data: &Value, as_json: bool) -> Result<()> {
    if as_json {
        let line = json!({ "id": event.id, "event": event.name, "data": data });
        print::line(&line.to_string())
    } else if let Some(line) = line(&event.name, data) {
        print::line(&line)
    } else {
        Ok(())
    }
}

/// A line for people.
fn line(name: &str, data: &Value) -> Option<String> {
    let at = |field: &str| -> String {
        let text = print::text(&data[field]);
        text.get(11..19).unwrap_or("        ").to_owned()
    };
    match name {
        "status" => {
            let result = match data["result"]["status"].as_str() {
                Some(result) => format!(", {result}"),
                None => String::new(),
            };
            Some(format!(
                "{} task {}{result}",
                at("at"),
                print::text(&data["status"])
            ))
        }
        "step" => {
            let node = data["node"].as_str().unwrap_or("site");
            let reason = data["waiting_for"]
                .as_str()
                .map_or_else(String::new, |reason| format!(" for {reason}"));
            Some(format!(
                "{} {node} {} {}{reason}",
                at("at"),
                print::text(&data["action"]),
                print::text(&data["status"])
            ))
        }
        "message" => {
            let mark = if data["error"] == true { "error: " } else { "" };
            Some(format!(
                "{}   {mark}{}",
                at("ts"),
                print::text(&data["message"])
            ))
        }
        "progress" => {
            let left = data["eta_seconds"]
                .as_u64()
                .map_or_else(String::new, |seconds| format!(", about {seconds} s left"));
            Some(format!(
                "           {} of {} steps done, {} failed, {} running{left}",
                data["done"], data["total"], data["failed"], data["running"]
            ))
        }
        _ => None,
    }
}

/// Puts events together from the pieces in which they come.
#[derive(Default)]
struct Reader {
    rest: Vec<u8>,
    event: Event,
}

impl Reader {
    fn read(&mut self, piece: &[u8]) -> Vec<Event> {
        self.rest.extend_from_slice(piece);
        let mut events = Vec::new();
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches(['\n', '\r']);
            if line.is_empty() {
                let event = std::mem::take(&mut self.event);
                if !event.data.is_empty() {
                    events.push(event);
                }
                continue;
            }
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "id" => self.event.id = Some(value.to_owned()),
                "event" => value.clone_into(&mut self.event.name),
                "data" => self.event.data.push_str(value),
                // A comment, or what a later server adds.
                _ => {}
            }
        }
        events
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_put_together_from_any_pieces() {
        let text = ": hello\n\nid: 7\nevent: step\ndata: {\"node\":\"ü: 1\"}\n\nevent: progress\r\ndata: {}\r\n\r\nid: 8\n";
        for size in 1..text.len() {
            let mut reader = Reader::default();
            let events: Vec<Event> = text
                .as_bytes()
                .chunks(size)
                .flat_map(|piece| reader.read(piece))
                .collect();
            let wanted = [
                Event {
                    id: Some("7".into()),
                    name: "step".into(),
                    data: "{\"node\":\"ü: 1\"}".into(),
                },
                Event {
                    id: None,
                    name: "progress".into(),
                    data: "{}".into(),
                },
            ];
            assert_eq!(events, wanted, "pieces of {size}");
        }
    }

    #[test]
    fn each_event_is_a_line() {
        for (name, data, wanted) in [
            (
                "step",
                json!({"at": "2026-01-02T03:04:05Z", "node": "n1", "action": "deploy_node", "status": "waiting", "waiting_for": "the install"}),
                "03:04:05 n1 deploy_node waiting for the install",
            ),
            (
                "status",
                json!({"at": "2026-01-02T03:04:05Z", "status": "complete", "result": {"status": "failure"}}),
                "03:04:05 task complete, failure",
            ),
            (
                "message",
                json!({"ts": "2026-01-02T03:04:05Z", "message": "no", "error": true}),
                "03:04:05   error: no",
            ),
            (
                "progress",
                json!({"total": 5, "done": 2, "failed": 1, "running": 1, "eta_seconds": 9}),
                "           2 of 5 steps done, 1 failed, 1 running, about 9 s left",
            ),
        ] {
            assert_eq!(line(name, &data).as_deref(), Some(wanted));
        }
    }
}
