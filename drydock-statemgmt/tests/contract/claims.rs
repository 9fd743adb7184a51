//! Claims: order, exclusivity, waiting, tokens.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use drydock_model::change::{Change, ChangeOutcome, JournalEntry, Risk};
use drydock_model::id::{ChangeId, ClaimToken, Epoch, TaskId};
use drydock_model::step::{ClaimedStep, StepAction, StepStatus};
use drydock_model::store::StoreError;
use drydock_model::task::TaskStatus;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::place::{
    Place, claim_one, done, facts, found, instance, lead, message, nodes, pipeline, plan, planned,
    planned_at, statuses,
};

/// An intent of the holder of this claim.
pub fn intent(claim: &ClaimedStep, verb: &str) -> JournalEntry {
    JournalEntry {
        id: ChangeId(Uuid::new_v4()),
        task: claim.step.task,
        step: claim.step.id,
        node: claim.step.node.clone(),
        attempt: claim.step.attempt,
        instance: claim.step.holder.unwrap(),
        epoch: Epoch(1),
        change: Change {
            target: "bmc 127.0.0.9:623".to_owned(),
            verb: verb.to_owned(),
            before: json!({"power": "on"}),
            after: Value::Null,
            risk: Risk::Reboots,
            why: "because".to_owned(),
        },
        intended: claim.step.updated,
        outcome: None,
        evidence: None,
        latency_ms: None,
    }
}

pub async fn a_claim_counts_and_dates_the_step(place: Place) {
    let store = place.open().await;
    let leader = lead(&store).await;
    let mut shape = plan([nodes(&["a"])]);
    shape.stages[0][0].steps[0].timeout = Duration::from_millis(2_345_678);
    let task = planned(&store, leader, &shape).await;
    let holder = instance();
    let claim = store.claim_steps(holder, 5).await.unwrap().remove(0);
    let step = &claim.step;
    assert_eq!(
        (step.status, step.attempt, step.holder),
        (StepStatus::Running, 1, Some(holder))
    );
    assert_eq!(claim.task, store.tree(task).await.unwrap().task);
    assert_eq!(claim.step, store.tree(task).await.unwrap().steps[0]);
    let started = step.started.unwrap();
    assert_eq!(started, step.updated);
    let off = step.deadline.unwrap() - started - TimeDelta::milliseconds(2_345_678);
    assert!(off.abs() <= TimeDelta::milliseconds(1), "{off}");
    assert_eq!(store.claim_steps(instance(), 5).await.unwrap(), []);
    store.return_step(step.id, claim.token).await.unwrap();
    place.pass(Duration::from_millis(5)).await;
    let again = claim_one(&store).await;
    assert_eq!(again.step.attempt, 2);
    assert_eq!(
        (again.step.deadline, again.step.started),
        (step.deadline, step.started)
    );
    assert_ne!(again.token, claim.token);
}

pub async fn higher_priority_first_then_older(place: Place) {
    let store = place.open().await;
    let leader = lead(&store).await;
    let low = planned_at(&store, leader, &plan([nodes(&["a", "b"])]), -1).await;
    let high = planned_at(&store, leader, &plan([nodes(&["c"])]), 50).await;
    let later = planned_at(&store, leader, &plan([nodes(&["d"])]), 50).await;
    // Of two that want node c the better placed gets it.
    planned_at(&store, leader, &plan([nodes(&["c"])]), 50).await;
    assert_eq!(store.claim_steps(instance(), 0).await.unwrap(), []);
    let first = store.claim_steps(instance(), 1).await.unwrap();
    assert_eq!(first[0].task.id, high);
    let rest = store.claim_steps(instance(), 10).await.unwrap();
    let order: Vec<_> = rest
        .iter()
        .map(|claim| (claim.task.id, claim.step.node.as_deref().unwrap()))
        .collect();
    assert_eq!(order, [(later, "d"), (low, "a"), (low, "b")]);
    assert_eq!(
        rest.iter()
            .map(|claim| claim.token)
            .collect::<HashSet<_>>()
            .len(),
        3
    );
}

pub async fn sixteen_claimers_get_each_step_once(place: Place) {
    let stores = [place.open().await, place.open().await];
    let leader = lead(&stores[0]).await;
    let names: Vec<_> = (0..200).map(|number| format!("n{number}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let tasks = [
        planned(&stores[0], leader, &plan([nodes(&names[..100])])).await,
        planned(&stores[0], leader, &plan([nodes(&names[100..])])).await,
    ];
    let claimers: Vec<_> = (0..16)
        .map(|number| {
            let store = stores[number % 2].clone();
            tokio::spawn(async move {
                let me = instance();
                let mut mine = vec![];
                loop {
                    let claims = store.claim_steps(me, 3).await.unwrap();
                    if claims.is_empty() {
                        return mine;
                    }
                    mine.extend(claims.into_iter().map(|claim| claim.step.id));
                }
            })
        })
        .collect();
    let mut all: Vec<TaskId> = vec![];
    for claimer in claimers {
        all.extend(claimer.await.unwrap());
    }
    // A claimer may find everything locked by another and stop early; somebody else has it then.
    for claim in stores[0].claim_steps(instance(), 1000).await.unwrap() {
        all.push(claim.step.id);
    }
    assert_eq!(all.len(), 200);
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), 200);
    for task in tasks {
        assert!(
            statuses(&stores[1], task)
                .await
                .iter()
                .all(|status| *status == "running")
        );
    }
}

pub async fn one_step_at_a_time_on_a_node(place: Place) {
    let store = place.open().await;
    let leader = lead(&store).await;
    let first = planned(&store, leader, &plan([nodes(&["a"])])).await;
    let second = planned_at(&store, leader, &plan([nodes(&["a", "b"])]), -5).await;
    planned(&store, leader, &plan([vec![pipeline(None, 1)]])).await;
    planned(&store, leader, &plan([vec![pipeline(None, 1)]])).await;
    let claims = store.claim_steps(instance(), 10).await.unwrap();
    let on_nodes: Vec<_> = claims
        .iter()
        .filter_map(|claim| Some((claim.step.node.as_deref()?, claim.step.task)))
        .collect();
    assert_eq!(on_nodes, [("a", first), ("b", second)]);
    assert_eq!(claims.len(), 3, "the site is one task's at a time");
    // The steps that wait for node a and for the site are no reason to look again.
    assert_eq!(store.next_due().await.unwrap(), None);
    assert_eq!(store.claim_steps(instance(), 10).await.unwrap(), []);
    store
        .finish_step(claims[0].step.id, claims[0].token, &done())
        .await
        .unwrap();
    assert_eq!(store.next_due().await.unwrap(), Some(Duration::ZERO));
    let next = claim_one(&store).await;
    assert_eq!(
        (next.step.node.as_deref(), next.step.task),
        (Some("a"), second)
    );
}

pub async fn a_task_keeps_the_nodes_it_has_begun_on(place: Place) {
    let store = place.open().await;
    let leader = lead(&store).await;
    let first = planned(&store, leader, &plan([vec![pipeline(Some("a"), 2)]])).await;
    let begun = claim_one(&store).await;
    let second = planned_at(&store, leader, &plan([nodes(&["a"])]), 50).await;
    // While a step of the first waits, and between two of its steps, the second has to wait, whatever its priority.
    let hour = Duration::from_secs(3600);
    let (id, token) = (begun.step.id, begun.token);
    store
        .wait_step(id, token, hour, "a long deployment", 0, &[])
        .await
        .unwrap();
    assert_eq!(store.claim_steps(instance(), 10).await.unwrap(), []);
    assert!(
        store.next_due().await.unwrap().unwrap() > hour / 2,
        "nothing is due before the first goes on"
    );
    let third = planned(&store, leader, &plan([vec![pipeline(Some("b"), 2)]])).await;
    let begun = claim_one(&store).await;
    let fourth = planned_at(&store, leader, &plan([nodes(&["b"])]), 50).await;
    store
        .finish_step(begun.step.id, begun.token, &done())
        .await
        .unwrap();
    let next = claim_one(&store).await;
    assert_eq!(
        (next.step.task, next.step.ordinal),
        (third, 1),
        "the third goes on, the fourth waits"
    );
    store
        .finish_step(next.step.id, next.token, &done())
        .await
        .unwrap();
    assert_eq!(claim_one(&store).await.step.task, fourth);
    // Terminated, the first lets go.
    store.terminate_task(first, "somebody").await.unwrap();
    assert_eq!(claim_one(&store).await.step.task, second);
}

pub async fn a_first_step_given_back_keeps_its_node(place: Place) {
    let store = place.open().await;
    let leader = lead(&store).await;
    let first = planned(&store, leader, &plan([nodes(&["a"])])).await;
    let begun = claim_one(&store).await;
    let better = planned_at(&store, leader, &plan([nodes(&["a"])]), 50).await;
    store.return_step(begun.step.id, begun.token).await.unwrap();
    let again = store.claim_steps(instance(), 9).await.unwrap();
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].step.task, first, "its node is in an unknown state");
    store
        .finish_step(again[0].step.id, again[0].token, &done())
        .await
        .unwrap();
    assert_eq!(claim_one(&store).await.step.task, better);
}

pub async fn a_power_cycle_that_has_begun_is_ended_though_its_task_is_to_stop(place: Place) {
    let store = place.open().await;
    let leader = lead(&store).await;
    let cycle = |node: &str| {
        let mut pipeline = pipeline(Some(node), 2);
        pipeline.steps[0].action = StepAction::PowerCycleNode;
        pipeline
    };
    let task = planned(
        &store,
        leader,
        &plan([vec![cycle("begun"), cycle("looked"), cycle("held")]]),
    )
    .await;
    let claims = store.claim_steps(instance(), 10).await.unwrap();
    assert_eq!(claims.len(), 3);
    let (begun, looked, held) = (&claims[0], &claims[1], &claims[2]);
    for claim in [begun, held] {
        store
            .record_intent(claim.token, &intent(claim, "power_off"))
            .await
            .unwrap();
    }
    for claim in [begun, looked] {
        let wait = store.wait_step(claim.step.id, claim.token, Duration::ZERO, "off", 0, &[]);
        wait.await.unwrap();
    }
    store.terminate_task(task, "somebody").await.unwrap();
    // One has not touched its machine; of the two that have, one waits and one is given back by its instance.
    store.return_step(held.step.id, held.token).await.unwrap();
    assert_eq!(
        statuses(&store, task).await,
        [
            "waiting",
            "terminated",
            "terminated",
            "terminated",
            "ready",
            "terminated"
        ]
    );
    assert_eq!(store.next_due().await.unwrap(), Some(Duration::ZERO));
    let claims = store.claim_steps(instance(), 10).await.unwrap();
    assert_eq!(claims.len(), 2);
    let (begun, held) = (&claims[0], &claims[1]);
    let wait = store.wait_step(begun.step.id, begun.token, Duration::ZERO, "on", 0, &[]);
    wait.await.unwrap();
    store
        .finish_step(held.step.id, held.token, &done())
        .await
        .unwrap();
    assert_eq!(
        store.tree(task).await.unwrap().task.status,
        TaskStatus::Terminating
    );
    let begun = claim_one(&store).await;
    let advance = store
        .finish_step(begun.step.id, begun.token, &done())
        .await
        .unwrap();
    assert!(advance.task_ended);
    assert_eq!(
        store.tree(task).await.unwrap().task.status,
        TaskStatus::Terminated
    );
    assert_eq!(
        statuses(&store, task).await,
        [
            "done",
            "terminated",
            "terminated",
            "terminated",
            "done",
            "terminated"
        ]
    );
}

pub async fn sixteen_claimers_never_share_a_node(place: Place) {
    let stores = [place.open().await, place.open().await];
    let leader = lead(&stores[0]).await;
    for _ in 0..12 {
        planned(&stores[0], leader, &plan([nodes(&["a", "b", "c"])])).await;
    }
    let busy = std::sync::Arc::new(std::sync::Mutex::new(HashSet::<String>::new()));
    let claimers: Vec<_> = (0..16)
        .map(|number| {
            let (store, busy) = (stores[number % 2].clone(), busy.clone());
            tokio::spawn(async move {
                let (mut count, begun) = (0, Instant::now());
                loop {
                    assert!(
                        begun.elapsed() < Duration::from_secs(60),
                        "steps are left over"
                    );
                    let claims = store.claim_steps(instance(), 2).await.unwrap();
                    for claim in &claims {
                        let node = claim.step.node.clone().unwrap();
                        assert!(
                            busy.lock().unwrap().insert(node.clone()),
                            "{node} is shared"
                        );
                        tokio::task::yield_now().await;
                        busy.lock().unwrap().remove(&node);
                        store
                            .finish_step(claim.step.id, claim.token, &done())
                            .await
                            .unwrap();
                        count += 1;
                    }
                    if claims.is_empty() && store.next_due().await.unwrap().is_none() {
                        return count;
                    }
                }
            })
        })
        .collect();
    let mut count = 0;
    for claimer in claimers {
        count += claimer.await.unwrap();
    }
    while let [claim] = &stores[0].claim_steps(instance(), 1).await.unwrap()[..] {
        stores[0]
            .finish_step(claim.step.id, claim.token, &done())
            .await
            .unwrap();
        count += 1;
    }
    assert_eq!(count, 36);
}

pub async fn waiting_steps_come_back_when_due(place: Place) {
    let store = place.open().await;
    let leader = lead(&store).await;
    assert_eq!(store.next_due().await.unwrap(), None);
    let task = planned(&store, leader, &plan([nodes(&["a"])])).await;
    assert_eq!(store.next_due().await.unwrap(), Some(Duration::ZERO));
    let claim = claim_one(&store).await;
    assert_eq!(store.next_due().await.unwrap(), None);
    let delay = Duration::from_millis(400);
    store
        .wait_step(
            claim.step.id,
            claim.token,
            delay,
            "for the BMC",
            3,
            &[message("later")],
        )
        .await
        .unwrap();
    let due = store.next_due().await.unwrap().unwrap();
    assert!(due <= delay && due > Duration::ZERO, "{due:?}");
    let step = store.tree(task).await.unwrap().steps.remove(0);
    assert_eq!(
        (step.status, step.failures, step.holder),
        (StepStatus::Waiting, 3, None)
    );
    assert_eq!(step.waiting_for.as_deref(), Some("for the BMC"));
    assert_eq!(step.messages, [message("later")]);
    assert_eq!(
        step.not_before.unwrap() - step.updated,
        TimeDelta::milliseconds(400)
    );
    assert_eq!(store.claim_steps(instance(), 1).await.unwrap(), []);
    place.pass(delay).await;
    assert_eq!(store.next_due().await.unwrap(), Some(Duration::ZERO));
    let again = claim_one(&store).await.step;
    assert_eq!((again.id, again.attempt, again.failures), (step.id, 2, 3));
    assert_eq!((again.waiting_for, again.not_before), (None, None));
    assert_eq!(again.deadline, claim.step.deadline);
}

pub async fn facts_of_earlier_steps_come_with_a_claim(place: Place) {
    let store = place.open().await;
    let leader = lead(&store).await;
    planned(
        &store,
        leader,
        &plan([vec![pipeline(Some("a"), 3), pipeline(Some("b"), 1)]]),
    )
    .await;
    let claims = store.claim_steps(instance(), 2).await.unwrap();
    assert!(claims[0].facts.is_empty());
    let end = found(json!({"known": false, "system": "x1"}));
    store
        .finish_step(claims[0].step.id, claims[0].token, &end)
        .await
        .unwrap();
    store
        .finish_step(claims[1].step.id, claims[1].token, &found(json!({"b": 1})))
        .await
        .unwrap();
    let second = claim_one(&store).await;
    assert_eq!(second.facts, facts(json!({"known": false, "system": "x1"})));
    store
        .finish_step(second.step.id, second.token, &found(json!({"known": true})))
        .await
        .unwrap();
    let third = claim_one(&store).await;
    assert_eq!(third.facts, facts(json!({"known": true, "system": "x1"})));
}

pub async fn stale_tokens_change_nothing(place: Place) {
    let store = place.open().await;
    let leader = lead(&store).await;
    let task = planned(&store, leader, &plan([nodes(&["a"])])).await;
    let old = claim_one(&store).await;
    let written = intent(&old, "power_off");
    store.record_intent(old.token, &written).await.unwrap();
    store.return_step(old.step.id, old.token).await.unwrap();
    let current = claim_one(&store).await;
    let before = store.tree(task).await.unwrap();
    for token in [old.token, ClaimToken(Uuid::new_v4())] {
        let step = old.step.id;
        let wait = store
            .wait_step(step, token, Duration::ZERO, "x", 0, &[message("x")])
            .await;
        assert_eq!(wait, Err(StoreError::StaleClaim));
        assert_eq!(
            store.finish_step(step, token, &done()).await,
            Err(StoreError::StaleClaim)
        );
        assert_eq!(
            store.return_step(step, token).await,
            Err(StoreError::StaleClaim)
        );
        let intended = store.record_intent(token, &intent(&old, "power_on")).await;
        assert_eq!(intended, Err(StoreError::StaleClaim));
        let outcome = store
            .record_outcome(token, written.id, ChangeOutcome::Done, "x", Duration::ZERO)
            .await;
        assert_eq!(outcome, Err(StoreError::StaleClaim));
    }
    assert_eq!(store.tree(task).await.unwrap(), before);
    assert_eq!(store.step_journal(old.step.id).await.unwrap().len(), 1);
    store
        .finish_step(current.step.id, current.token, &done())
        .await
        .unwrap();
    let twice = store
        .finish_step(current.step.id, current.token, &done())
        .await;
    assert_eq!(twice, Err(StoreError::StaleClaim));
}
