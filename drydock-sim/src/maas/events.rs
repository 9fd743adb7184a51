//! The event log: `events/?op=query`.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::region::Region;
use super::request::{Answer, Reply, Request, Verb};

/// Events kept; older ones go, as MaaS trims its own table.
const KEPT: usize = 20_000;

/// An event.
#[derive(Debug, Clone)]
pub(super) struct Event {
    id: u64,
    node: String,
    hostname: String,
    level: &'static str,
    kind: String,
    description: String,
    created: DateTime<Utc>,
}

impl Region {
    pub(super) fn event(
        &mut self,
        node: &str,
        hostname: &str,
        level: &'static str,
        kind: &str,
        description: &str,
    ) {
        let id = self.events.last().map_or(0, |event| event.id) + 1;
        if self.events.len() == KEPT {
            self.events.remove(0);
        }
        self.events.push(Event {
            id,
            node: node.to_owned(),
            hostname: hostname.to_owned(),
            level,
            kind: kind.to_owned(),
            description: description.to_owned(),
            created: Utc::now(),
        });
    }
}

fn rank(level: &str) -> Option<u8> {
    ["AUDIT", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
        .iter()
        .position(|known| *known == level)
        .and_then(|rank| u8::try_from(rank).ok())
}

fn render(event: &Event) -> Value {
    json!({
        "username": "unknown", "node": event.node, "hostname": event.hostname, "id": event.id,
        "level": event.level, "created": event.created.format("%a, %d %b. %Y %H:%M:%S").to_string(),
        "type": event.kind, "description": event.description,
    })
}

/// `events/`.
pub(super) fn handle(region: &Region, request: &Request, path: &[&str]) -> Answer {
    if request.verb != Verb::Get || !path.is_empty() || request.op.as_deref() != Some("query") {
        return Err(request.unrecognised());
    }
    let level = request.field("level").unwrap_or("INFO");
    let least =
        rank(level).ok_or_else(|| Reply::text(400, format!("Unrecognised log level: {level}")))?;
    let limit: usize = request.number("limit")?.unwrap_or(100);
    if limit > 1000 {
        return Err(Reply::text(
            400,
            format!("Requested number of events {limit} is greater than limit: 1000"),
        ));
    }
    let (after, before) = (
        request.number::<u64>("after")?,
        request.number::<u64>("before")?,
    );
    let ids: Vec<&str> = request.query.all("id").collect();
    let hostnames: Vec<&str> = request.query.all("hostname").collect();
    let wanted = |event: &&Event| {
        rank(event.level).is_some_and(|rank| rank >= least)
            && (ids.is_empty() || ids.contains(&event.node.as_str()))
            && (hostnames.is_empty() || hostnames.contains(&event.hostname.as_str()))
            && after.is_none_or(|after| event.id > after)
            && before.is_none_or(|before| event.id < before)
    };
    let matching = region.events.iter().filter(wanted);
    // After a cursor come the oldest first, so that nothing is skipped; without one the newest. Always newest on top.
    let mut events: Vec<&Event> = if after.is_some() {
        matching.take(limit).collect()
    } else {
        matching.rev().take(limit).collect()
    };
    events.sort_by_key(|event| std::cmp::Reverse(event.id));
    let link = |cursor: &str, id: Option<u64>| {
        format!(
            "/MAAS/api/2.0/events/?op=query&limit={limit}&level={level}&{cursor}={}",
            id.or(after).or(before).unwrap_or_default()
        )
    };
    Ok(Reply::json(json!({
        "count": events.len(),
        "events": events.iter().map(|event| render(event)).collect::<Vec<_>>(),
        "next_uri": link("after", events.first().map(|event| event.id)),
        "prev_uri": link("before", events.last().map(|event| event.id)),
    })))
}
