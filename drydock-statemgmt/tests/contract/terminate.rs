//! Termination, in each state of a task.

use std::time::Duration;

use drydock_model::store::StoreError;
use drydock_model::task::{ResultStatus, TaskStatus};

use crate::place::{
    GRACE, Place, claim_one, done, failed, id, instance, lead, message, new_task, nodes, pipeline,
    plan, planned, statuses,
};

pub async fn a_queued_task_is_terminated_at_once(place: Place) {
    let store = place.open().await;
    let leader = lead(&store).await;
    let task = store.create_task(&new_task(0)).await.unwrap().id;
    let ended = store.terminate_task(task, "alice").await.unwrap();
    assert_eq!(
        (ended.status, ended.terminate),
        (TaskStatus::Terminated, true)
    );
    assert_eq!(ended.terminated_by.as_deref(), Some("alice"));
    assert_eq!(ended.terminated, Some(ended.updated));
    assert_eq!(store.queued(1).await.unwrap(), []);
    let refused = store
        .plan_task(leader, task, &crate::place::digest(), &plan([]), &[])
        .await;
    assert!(
        matches!(refused, Err(StoreError::Conflict(_))),
        "{refused:?}"
    );
    assert_eq!(
        store.terminate_task(id(), "alice").await,
        Err(StoreError::NotFound)
    );
}

pub async fn what_has_not_begun_or_waits_is_terminated_at_once(place: Place) {
    let store = place.open().await;
    let leader = lead(&store).await;
    let shape = plan([
        vec![pipeline(Some("a"), 2), pipeline(Some("b"), 1)],
        nodes(&["c"]),
    ]);
    let task = planned(&store, leader, &shape).await;
    let claim = claim_one(&store).await;
    let hour = Duration::from_secs(3600);
    store
        .wait_step(claim.step.id, claim.token, hour, "long", 0, &[])
        .await
        .unwrap();
    assert_eq!(
        statuses(&store, task).await,
        ["waiting", "pending", "ready", "pending"]
    );
    let ended = store.terminate_task(task, "alice").await.unwrap();
    assert_eq!(ended.status, TaskStatus::Terminated);
    let tree = store.tree(task).await.unwrap();
    for step in tree.steps {
        assert_eq!(step.status.as_str(), "terminated");
        assert!(step.ended.is_some() && step.waiting_for.is_none() && step.not_before.is_none());
    }
    assert_eq!(store.next_due().await.unwrap(), None);
    assert_eq!(store.claim_steps(instance(), 9).await.unwrap(), []);
}

pub async fn running_steps_end_first(place: Place) {
    let store = place.open().await;
    let leader = lead(&store).await;
    let shape = plan([
        vec![pipeline(Some("a"), 2), pipeline(Some("b"), 2)],
        nodes(&["c"]),
    ]);
    let task = planned(&store, leader, &shape).await;
    let claims = store.claim_steps(instance(), 9).await.unwrap();
    let stopping = store.terminate_task(task, "alice").await.unwrap();
    assert_eq!(stopping.status, TaskStatus::Terminating);
    let expected = [
        "running",
        "terminated",
        "running",
        "terminated",
        "terminated",
    ];
    assert_eq!(statuses(&store, task).await, expected);
    // Asked again: the first one stands.
    let again = store.terminate_task(task, "bob").await.unwrap();
    assert_eq!(again.terminated_by.as_deref(), Some("alice"));
    assert_eq!(again.terminated, stopping.terminated);
    let first = store
        .finish_step(claims[0].step.id, claims[0].token, &done())
        .await
        .unwrap();
    assert_eq!((first.ready, first.task_ended), (0, false));
    let last = store
        .finish_step(claims[1].step.id, claims[1].token, &failed())
        .await
        .unwrap();
    assert_eq!((last.ready, last.task_ended), (0, true));
    let expected = ["done", "terminated", "failed", "terminated", "terminated"];
    assert_eq!(statuses(&store, task).await, expected);
    assert_eq!(
        store.tree(task).await.unwrap().task.status,
        TaskStatus::Terminated
    );
}

pub async fn a_step_that_would_wait_is_terminated(place: Place) {
    let store = place.open().await;
    let leader = lead(&store).await;
    let task = planned(&store, leader, &plan([vec![pipeline(Some("a"), 2)]])).await;
    let claim = claim_one(&store).await;
    store.terminate_task(task, "alice").await.unwrap();
    let said = [message("stopped")];
    store
        .wait_step(claim.step.id, claim.token, Duration::ZERO, "x", 1, &said)
        .await
        .unwrap();
    assert_eq!(statuses(&store, task).await, ["terminated", "terminated"]);
    let tree = store.tree(task).await.unwrap();
    assert_eq!(tree.task.status, TaskStatus::Terminated);
    assert_eq!(
        (tree.steps[0].holder, &tree.steps[0].messages[..]),
        (None, &said[..])
    );
    assert!(tree.steps[0].ended.is_some());
}

pub async fn a_step_given_back_is_terminated(place: Place) {
    let store = place.open().await;
    let leader = lead(&store).await;
    let one = planned(&store, leader, &plan([nodes(&["a"])])).await;
    let all = planned(&store, leader, &plan([nodes(&["b", "c"])])).await;
    let silent = planned(&store, leader, &plan([nodes(&["d"])])).await;
    let other = planned(&store, leader, &plan([nodes(&["e"])])).await;
    let claim = claim_one(&store).await;
    let (me, gone) = (instance(), instance());
    assert_eq!(store.claim_steps(me, 2).await.unwrap().len(), 2);
    assert_eq!(store.claim_steps(gone, 2).await.unwrap().len(), 2);
    for task in [one, all, silent] {
        store.terminate_task(task, "alice").await.unwrap();
    }
    store.return_step(claim.step.id, claim.token).await.unwrap();
    assert_eq!(store.return_claims(me).await.unwrap(), 2);
    store.farewell(gone).await.unwrap();
    assert_eq!(store.reclaim_silent(leader, GRACE).await.unwrap(), 2);
    for task in [one, all, silent] {
        let tree = store.tree(task).await.unwrap();
        assert_eq!(tree.task.status, TaskStatus::Terminated);
        assert!(
            tree.steps
                .iter()
                .all(|step| step.status.as_str() == "terminated")
        );
    }
    assert_eq!(statuses(&store, other).await, ["ready"]);
}

pub async fn an_ended_task_is_not_terminated(place: Place) {
    let store = place.open().await;
    let leader = lead(&store).await;
    let complete = store.create_task(&new_task(0)).await.unwrap().id;
    store
        .end_task(leader, complete, ResultStatus::Success, None, &[])
        .await
        .unwrap();
    let stopped = store.create_task(&new_task(0)).await.unwrap().id;
    store.terminate_task(stopped, "alice").await.unwrap();
    for task in [complete, stopped] {
        let before = store.tree(task).await.unwrap();
        let refused = store.terminate_task(task, "bob").await;
        assert!(
            matches!(refused, Err(StoreError::Conflict(_))),
            "{refused:?}"
        );
        assert_eq!(store.tree(task).await.unwrap(), before);
    }
}
