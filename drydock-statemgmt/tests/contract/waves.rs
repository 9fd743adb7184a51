//! Strategies: what may begin, and when nothing does any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use drydock_model::id::TaskId;
use drydock_model::step::TaskPlan;
use drydock_model::store::{Leadership, Store};
use drydock_model::strategy::Strategy;
use drydock_model::task::{NewTask, TaskStatus};

use crate::place::{
    Place, digest, done, failed, instance, lead, new_task, nodes, pipeline, plan, statuses,
};

/// A task with this strategy and plan, running.
async fn planned_with(
    store: &Arc<dyn Store>,
    leader: Leadership,
    strategy: Strategy,
    plan: &TaskPlan,
) -> TaskId {
    let task = NewTask {
        strategy: Some(strategy),
        ..new_task(0)
    };
    store.create_task(&task).await.unwrap();
    store
        .plan_task(leader, task.id, &digest(), plan, &[])
        .await
        .unwrap();
    task.id
}

fn at_most(max_in_flight: u32) -> Strategy {
    Strategy {
        max_in_flight: Some(max_in_flight),
        ..Strategy::default()
    }
}

/// Claims everything there is and ends it; the nodes, those that failed included.
async fn round(store: &Arc<dyn Store>, failing: &[&str]) -> Vec<String> {
    let mut ended = Vec::new();
    let claims = store.claim_steps(instance(), 100).await.unwrap();
    for claim in &claims {
        let node = claim.step.node.clone().unwrap();
        let end = if failing.contains(&node.as_str()) {
            failed()
        } else {
            done()
        };
        store
            .finish_step(claim.step.id, claim.token, &end)
            .await
            .unwrap();
        ended.push(node);
    }
    ended
}

pub async fn a_strategy_comes_back_as_it_was_given(place: Place) {
    let store = place.open().await;
    let strategy: Strategy = serde_json::from_str(
        r#"{"max_in_flight":5,"canary":1,"stop_at_failures_percent":20,"group_by":{"label":"a\u0000b"}}"#,
    )
    .unwrap();
    let task = NewTask {
        strategy: Some(strategy.clone()),
        ..new_task(0)
    };
    let taken = store.create_task(&task).await.unwrap();
    assert_eq!(taken.strategy, Some(strategy));
    assert_eq!(store.queued(1).await.unwrap(), [taken]);
}

pub async fn so_many_nodes_at_once_and_no_more(place: Place) {
    let store = place.open().await;
    let leader = lead(&store).await;
    let shape = plan([vec![
        pipeline(Some("a"), 2),
        pipeline(Some("b"), 1),
        pipeline(Some("c"), 1),
        pipeline(Some("d"), 1),
    ]]);
    let task = planned_with(&store, leader, at_most(2), &shape).await;
    assert_eq!(
        statuses(&store, task).await,
        ["ready", "pending", "ready", "pending", "pending"]
    );
    assert_eq!(round(&store, &[]).await, ["a", "b"]);
    assert_eq!(
        statuses(&store, task).await,
        ["done", "ready", "done", "ready", "pending"],
        "a goes on, c follows b"
    );
    // A failure makes way as well.
    assert_eq!(round(&store, &["a"]).await, ["a", "c"]);
    assert_eq!(round(&store, &[]).await, ["d"]);
    assert_eq!(
        store.tree(task).await.unwrap().task.status,
        TaskStatus::Complete
    );
}

pub async fn sixteen_claimers_never_exceed_a_strategy(place: Place) {
    const LIMIT: usize = 3;
    let stores = [place.open().await, place.open().await];
    let leader = lead(&stores[0]).await;
    let names: Vec<String> = (0..24).map(|number| format!("n{number}")).collect();
    let stage = |names: &[String]| names.iter().map(|name| pipeline(Some(name), 2)).collect();
    let shape = plan([stage(&names[..10]), stage(&names[10..])]);
    let task = planned_with(&stores[0], leader, at_most(LIMIT as u32), &shape).await;
    let begun = Arc::new(AtomicUsize::new(0));
    let claimers = (0..16).map(|number| {
        let (store, begun) = (stores[number % 2].clone(), begun.clone());
        tokio::spawn(async move {
            let started = Instant::now();
            loop {
                assert!(
                    started.elapsed() < Duration::from_secs(60),
                    "steps are left"
                );
                let claims = store.claim_steps(instance(), 4).await.unwrap();
                for claim in &claims {
                    if claim.step.ordinal == 0 {
                        let now = begun.fetch_add(1, Ordering::SeqCst) + 1;
                        assert!(now <= LIMIT, "{now} nodes at once");
                    } else {
                        begun.fetch_sub(1, Ordering::SeqCst);
                    }
                    store
                        .finish_step(claim.step.id, claim.token, &done())
                        .await
                        .unwrap();
                }
                if claims.is_empty() && store.tree(task).await.unwrap().task.status.is_final() {
                    return;
                }
            }
        })
    });
    for claimer in claimers.collect::<Vec<_>>() {
        claimer.await.unwrap();
    }
    let all = statuses(&stores[0], task).await;
    assert_eq!(all, ["done"; 48]);
}

pub async fn the_rest_waits_for_the_canaries(place: Place) {
    let store = place.open().await;
    let leader = lead(&store).await;
    let canaries = || Strategy {
        canary: Some(2),
        ..Strategy::default()
    };
    let shape = || plan([nodes(&["a", "b"]), nodes(&["c", "d"]), nodes(&["e"])]);
    let good = planned_with(&store, leader, canaries(), &shape()).await;
    assert_eq!(round(&store, &[]).await, ["a", "b"]);
    assert_eq!(
        round(&store, &["c"]).await,
        ["c", "d"],
        "who is no canary may fail"
    );
    assert_eq!(round(&store, &[]).await, ["e"]);
    assert_eq!(
        store.tree(good).await.unwrap().task.status,
        TaskStatus::Complete
    );

    let bad = planned_with(&store, leader, canaries(), &shape()).await;
    assert_eq!(round(&store, &["b"]).await, ["a", "b"]);
    assert_eq!(round(&store, &[]).await, Vec::<String>::new());
    let tree = store.tree(bad).await.unwrap();
    assert_eq!(tree.task.status, TaskStatus::Complete);
    assert_eq!(
        statuses(&store, bad).await,
        ["done", "failed", "skipped", "skipped", "skipped"]
    );
    for step in &tree.steps[2..] {
        let [message] = &step.messages[..] else {
            panic!("{step:#?}");
        };
        assert_eq!(message.message, "not begun: the canary b failed");
        assert_eq!(Some(&message.context), step.node.as_ref());
        assert!(message.error && step.ended.is_some() && step.started.is_none());
    }
    let [told] = &tree.task.messages[..] else {
        panic!("{:#?}", tree.task);
    };
    assert!(
        told.message.contains("the canary b failed") && told.message.contains("3 node(s)"),
        "{told:?}"
    );
}

pub async fn too_many_failures_stop_what_has_not_begun(place: Place) {
    let store = place.open().await;
    let leader = lead(&store).await;
    let strategy = Strategy {
        max_in_flight: Some(2),
        stop_at_failures_percent: Some(25),
        ..Strategy::default()
    };
    let of = |name| pipeline(Some(name), 2);
    // A name that JSON writes otherwise.
    let odd = "h\"\\ü";
    let shape = plan([
        ["a", "b", "c", "d", "e", "f", "g"].map(of).into(),
        vec![of(odd)],
    ]);
    let task = planned_with(&store, leader, strategy, &shape).await;
    assert_eq!(round(&store, &["a"]).await, ["a", "b"]);
    // One of eight is less than a quarter.
    assert_eq!(round(&store, &[]).await, ["b", "c"]);
    assert_eq!(round(&store, &["c"]).await, ["c", "d"]);
    // Two are a quarter: d, which has begun, goes on; nothing else begins.
    assert_eq!(round(&store, &[]).await, ["d"]);
    let tree = store.tree(task).await.unwrap();
    assert_eq!(tree.task.status, TaskStatus::Complete);
    let first: Vec<_> = tree.steps.iter().filter(|step| step.ordinal == 0).collect();
    for step in &first[4..] {
        assert_eq!(step.status.as_str(), "skipped");
        let message = &step.messages[0];
        assert_eq!(
            message.message,
            "not begun: 2 of 8 nodes have failed, and the task's strategy stops at 25 %"
        );
        assert_eq!(Some(&message.context), step.node.as_ref());
    }
    assert_eq!(first[7].messages[0].context, odd);
    assert!(tree.steps.iter().all(|step| step.status.is_final()));
}

pub async fn a_plain_failure_stops_nothing(place: Place) {
    let store = place.open().await;
    let leader = lead(&store).await;
    let shape = plan([nodes(&["a", "b", "c"])]);
    planned_with(&store, leader, at_most(1), &shape).await;
    for node in ["a", "b", "c"] {
        assert_eq!(round(&store, &["a", "b", "c"]).await, [node]);
    }
}

pub async fn a_terminated_task_lets_nothing_more_begin(place: Place) {
    let store = place.open().await;
    let leader = lead(&store).await;
    let shape = plan([nodes(&["a", "b"])]);
    let task = planned_with(&store, leader, at_most(1), &shape).await;
    let claim = store.claim_steps(instance(), 9).await.unwrap().remove(0);
    store.terminate_task(task, "somebody").await.unwrap();
    store
        .finish_step(claim.step.id, claim.token, &done())
        .await
        .unwrap();
    assert_eq!(statuses(&store, task).await, ["done", "terminated"]);
    assert_eq!(
        store.tree(task).await.unwrap().task.status,
        TaskStatus::Terminated
    );
}
