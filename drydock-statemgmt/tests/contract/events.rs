//! Events: numbered in the order of their commits, the same for every reader.

use std::sync::Arc;
use std::time::Duration;

use drydock_model::event::{Happened, TaskEvent};
use drydock_model::id::TaskId;
use drydock_model::store::{Store, StoreError};
use drydock_model::task::TaskStatus;

use crate::place::{
    Place, claim_one, digest, done, failed, id, instance, lead, message, new_task, nodes, pipeline,
    plan, planned,
};

/// What happened, in short.
fn short(events: &[TaskEvent]) -> Vec<String> {
    events
        .iter()
        .map(|event| {
            let said: Vec<_> = event
                .messages
                .iter()
                .map(|message| message.message.as_str())
                .collect();
            let what = match &event.what {
                Happened::Task(status) => status.to_string(),
                Happened::Step {
                    node,
                    status,
                    waiting_for,
                    ..
                } => format!(
                    "{} {status}{}",
                    node.as_deref().unwrap_or("site"),
                    waiting_for
                        .as_ref()
                        .map_or_else(String::new, |reason| format!(" for {reason}"))
                ),
            };
            format!("{} {what} {}", event.seq, said.join("+"))
                .trim_end()
                .to_owned()
        })
        .collect()
}

async fn all(store: &Arc<dyn Store>, task: TaskId) -> Vec<String> {
    short(&store.task_events(task, 0, 1000).await.unwrap())
}

pub async fn what_happens_is_told_in_order(place: Place) {
    let store = place.open().await;
    let leader = lead(&store).await;
    let task = store.create_task(&new_task(0)).await.unwrap().id;
    assert_eq!(all(&store, task).await, ["1 queued"]);
    let shape = plan([vec![pipeline(Some("a"), 2), pipeline(Some("b"), 1)]]);
    store
        .plan_task(leader, task, &digest(), &shape, &[message("planned")])
        .await
        .unwrap();
    let claim = claim_one(&store).await;
    for (reason, said) in [
        ("x", &[message("begins")][..]),
        ("x", &[]),
        ("x", &[]),
        ("y", &[]),
    ] {
        let claim = if said.is_empty() {
            claim_one(&store).await
        } else {
            claim.clone()
        };
        let (step, token) = (claim.step.id, claim.token);
        store
            .wait_step(step, token, Duration::ZERO, reason, 0, said)
            .await
            .unwrap();
    }
    let holder = instance();
    let claims = store.claim_steps(holder, 9).await.unwrap();
    assert_eq!(claims.len(), 2);
    store
        .return_step(claims[1].step.id, claims[1].token)
        .await
        .unwrap();
    store
        .finish_step(claims[0].step.id, claims[0].token, &done())
        .await
        .unwrap();
    for end in [done(), failed()] {
        let claim = claim_one(&store).await;
        store
            .finish_step(claim.step.id, claim.token, &end)
            .await
            .unwrap();
    }
    let told = [
        "1 queued",
        "2 running planned",
        "3 a waiting for x begins",
        "4 a waiting for y",
        "5 b ready",
        "6 a done done",
        "7 a done done",
        "8 b failed failed",
        "9 complete",
    ];
    assert_eq!(all(&store, task).await, told);
    // Another server, later, from anywhere.
    let other = place.open().await;
    for after in 0..10_i64 {
        let rest = other.task_events(task, after, 1000).await.unwrap();
        assert_eq!(short(&rest), &told[usize::try_from(after).unwrap()..]);
    }
    let two = other.task_events(task, 4, 2).await.unwrap();
    assert_eq!(short(&two), &told[4..6]);
    assert_eq!(other.task_events(task, 77, 2).await.unwrap(), []);
    assert_eq!(
        other.task_events(id(), 0, 2).await,
        Err(StoreError::NotFound)
    );
    assert!(two[0].at <= two[1].at);
}

pub async fn a_stop_is_told(place: Place) {
    let store = place.open().await;
    let leader = lead(&store).await;
    let task = planned(&store, leader, &plan([nodes(&["a", "b"])])).await;
    let claim = claim_one(&store).await;
    store.terminate_task(task, "somebody").await.unwrap();
    let (step, token) = (claim.step.id, claim.token);
    store
        .wait_step(step, token, Duration::ZERO, "x", 0, &[])
        .await
        .unwrap();
    assert_eq!(
        all(&store, task).await,
        [
            "1 queued",
            "2 running",
            "3 terminating",
            "4 a terminated",
            "5 terminated"
        ]
    );
}

/// However many write at once: who reads in between misses nothing that comes before what it has seen.
pub async fn a_reader_misses_nothing(place: Place) {
    let stores = [place.open().await, place.open().await];
    let leader = lead(&stores[0]).await;
    let names: Vec<String> = (0..60).map(|number| format!("n{number}")).collect();
    let pipelines = names.iter().map(|name| pipeline(Some(name), 1)).collect();
    let task = planned(&stores[0], leader, &plan([pipelines])).await;
    let mut writers = tokio::task::JoinSet::new();
    for number in 0..8 {
        let store = stores[number % 2].clone();
        writers.spawn(async move {
            loop {
                let claims = store.claim_steps(instance(), 2).await.unwrap();
                for claim in &claims {
                    store
                        .finish_step(claim.step.id, claim.token, &done())
                        .await
                        .unwrap();
                }
                let status = store.tree(task).await.unwrap().task.status;
                if status == TaskStatus::Complete {
                    return;
                }
            }
        });
    }
    let (mut seen, mut after) = (Vec::new(), 0);
    loop {
        let events = stores[1].task_events(task, after, 7).await.unwrap();
        seen.extend(events.iter().map(|event| event.seq));
        after = seen.last().copied().unwrap_or(0);
        if events
            .last()
            .is_some_and(|event| event.what == Happened::Task(TaskStatus::Complete))
        {
            break;
        }
    }
    while let Some(ended) = writers.join_next().await {
        ended.unwrap();
    }
    // Queued, running, sixty ends, complete.
    assert_eq!(seen, (1..=63).collect::<Vec<i64>>());
}
