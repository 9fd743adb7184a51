//! Steps given back, and taken back.

use std::time::Duration;

use drydock_model::store::StoreError;

use crate::place::{GRACE, Place, claim_one, done, instance, lead, nodes, plan, planned, statuses};

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
