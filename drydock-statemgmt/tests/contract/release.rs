//! Steps given back, and taken back.

use std::time::Duration;

use drydock_model::id::ClaimToken;
use drydock_model::step::StepAction;
use drydock_model::store::StoreError;
use uuid::Uuid;

use crate::claims::intent;
use crate::place::{
    GRACE, Place, claim_one, done, instance, lead, nodes, pipeline, plan, planned, statuses,
};

pub async fn claims_are_returned(place: Place) {
    let store = place.open().await;
    let leader = lead(&store).await;
    let task = planned(&store, leader, &plan([nodes(&["a", "b", "c"])])).await;
    let (me, other) = (instance(), instance());
    assert_eq!(store.claim_steps(me, 2).await.unwrap().len(), 2);
    let kept = store.claim_steps(other, 2).await.unwrap().remove(0);
    assert_eq!(store.return_claims(me).await.unwrap(), 2);
    assert_eq!(store.return_claims(me).await.unwrap(), 0);
    assert_eq!(statuses(&store, task).await, ["ready", "ready", "running"]);
    store
        .finish_step(kept.step.id, kept.token, &done())
        .await
        .unwrap();
    let step = store.tree(task).await.unwrap().steps.remove(0);
    assert_eq!((step.holder, step.attempt), (None, 1));
    assert_eq!(store.claim_steps(other, 5).await.unwrap().len(), 2);
}

pub async fn what_is_held_unknowingly_is_returned(place: Place) {
    let store = place.open().await;
    let leader = lead(&store).await;
    let going_on = planned(&store, leader, &plan([nodes(&["a", "b"])])).await;
    let mut cycle = pipeline(Some("d"), 2);
    cycle.steps[0].action = StepAction::PowerCycleNode;
    let stopping = planned(&store, leader, &plan([vec![pipeline(Some("c"), 2), cycle]])).await;
    let others = planned(&store, leader, &plan([nodes(&["e"])])).await;
    let me = instance();
    let mine = store.claim_steps(me, 4).await.unwrap();
    store.claim_steps(instance(), 1).await.unwrap();
    let cycling = &mine[3];
    store
        .record_intent(cycling.token, &intent(cycling, "power_off"))
        .await
        .unwrap();
    store.terminate_task(stopping, "alice").await.unwrap();

    let all: Vec<_> = mine.iter().map(|claim| claim.token).collect();
    assert_eq!(store.return_unknown(me, &all).await, Ok(0));
    assert_eq!(store.return_unknown(instance(), &[]).await, Ok(0));
    // The token of a claim that is over keeps nothing.
    let kept = [ClaimToken(Uuid::new_v4()), mine[1].token];
    assert_eq!(store.return_unknown(me, &kept).await, Ok(3));
    assert_eq!(statuses(&store, going_on).await, ["ready", "running"]);
    assert_eq!(
        statuses(&store, stopping).await,
        ["terminated", "terminated", "ready", "terminated"]
    );
    assert_eq!(statuses(&store, others).await, ["running"]);
    let (step, token) = (&mine[0].step, mine[0].token);
    let late = store.finish_step(step.id, token, &done()).await;
    assert_eq!(late, Err(StoreError::StaleClaim));
    let step = &mine[1].step;
    store
        .finish_step(step.id, mine[1].token, &done())
        .await
        .unwrap();
    // None named, none kept.
    assert_eq!(store.claim_steps(me, 9).await.unwrap().len(), 2);
    assert_eq!(store.return_unknown(me, &[]).await, Ok(2));
}

pub async fn silent_instances_lose_their_steps_and_living_ones_do_not(place: Place) {
    let store = place.open().await;
    let leader = lead(&store).await;
    let task = planned(&store, leader, &plan([nodes(&["a", "b", "c"])])).await;
    let grace = Duration::from_millis(600);
    let (silent, living, gone) = (instance(), instance(), instance());
    let lost = store.claim_steps(silent, 1).await.unwrap().remove(0);
    store.claim_steps(living, 1).await.unwrap();
    store.claim_steps(gone, 1).await.unwrap();
    assert_eq!(store.reclaim_silent(leader, GRACE).await.unwrap(), 0);
    store.farewell(gone).await.unwrap();
    assert_eq!(store.reclaim_silent(leader, GRACE).await.unwrap(), 1);
    assert_eq!(
        statuses(&store, task).await,
        ["running", "running", "ready"]
    );
    place.pass(grace).await;
    store.heartbeat(living).await.unwrap();
    assert_eq!(store.reclaim_silent(leader, grace).await.unwrap(), 1);
    assert_eq!(statuses(&store, task).await, ["ready", "running", "ready"]);
    let late = store.finish_step(lost.step.id, lost.token, &done()).await;
    assert_eq!(late, Err(StoreError::StaleClaim));
    assert_eq!(claim_one(&store).await.step.attempt, 2);
}

pub async fn a_deposed_leader_takes_nothing_back(place: Place) {
    let store = place.open().await;
    let old = lead(&store).await;
    let task = planned(&store, old, &plan([nodes(&["a"])])).await;
    let silent = instance();
    store.claim_steps(silent, 1).await.unwrap();
    store.farewell(silent).await.unwrap();
    store.abdicate(old).await.unwrap();
    let leader = lead(&store).await;
    assert_eq!(
        store.reclaim_silent(old, Duration::ZERO).await,
        Err(StoreError::Deposed)
    );
    assert_eq!(statuses(&store, task).await, ["running"]);
    assert_eq!(store.reclaim_silent(leader, GRACE).await.unwrap(), 1);
}
