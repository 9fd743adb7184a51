//! Wake-up calls.

use std::time::Duration;

use drydock_model::boot::{BootContext, BootEntry, BootStatus};
use drydock_model::id::BootActionId;
use drydock_model::store::Wake;
use ulid::Ulid;

use crate::boot::open;
use crate::place::{
    GRACE, Place, claim_one, digest, done, instance, lead, new_task, nodes, pipeline, plan,
};

/// A net under the test, never reached when the store does as it must.
const LONG: Duration = Duration::from_secs(20);

async fn called(wake: &mut Box<dyn Wake>, by: &str) {
    let called = tokio::time::timeout(LONG, wake.changed()).await;
    assert!(called.is_ok(), "{by} must call");
}

/// Nothing is under way any more once the calls of a transaction of our own have come.
async fn drain(wake: &mut Box<dyn Wake>) {
    while tokio::time::timeout(Duration::from_millis(150), wake.changed())
        .await
        .is_ok()
    {}
}

pub async fn verbs_that_make_work_call(place: Place) {
    let store = place.open().await;
    // On PostgreSQL the calls must reach another server; on SQLite there is none.
    let other = if place.file.is_some() {
        store.clone()
    } else {
        place.open().await
    };
    let mut wake = other.subscribe().await.unwrap();
    let leader = lead(&store).await;
    let me = instance();

    let task = store.create_task(&new_task(0)).await.unwrap().id;
    called(&mut wake, "create_task").await;
    drain(&mut wake).await;
    let shape = plan([vec![pipeline(Some("a"), 9)], nodes(&["b"])]);
    store
        .plan_task(leader, task, &digest(), &shape, &[])
        .await
        .unwrap();
    called(&mut wake, "plan_task").await;
    drain(&mut wake).await;
    let claim = claim_one(&store).await;
    store
        .finish_step(claim.step.id, claim.token, &done())
        .await
        .unwrap();
    called(&mut wake, "finish_step").await;
    drain(&mut wake).await;
    let claim = claim_one(&store).await;
    store
        .wait_step(claim.step.id, claim.token, Duration::ZERO, "x", 0, &[])
        .await
        .unwrap();
    called(&mut wake, "wait_step").await;
    drain(&mut wake).await;
    store.claim_steps(me, 1).await.unwrap();
    store.return_claims(me).await.unwrap();
    called(&mut wake, "return_claims").await;
    drain(&mut wake).await;
    store.claim_steps(me, 1).await.unwrap();
    store.return_unknown(me, &[]).await.unwrap();
    called(&mut wake, "return_unknown").await;
    drain(&mut wake).await;
    let claim = claim_one(&store).await;
    store.return_step(claim.step.id, claim.token).await.unwrap();
    called(&mut wake, "return_step").await;
    drain(&mut wake).await;
    store.claim_steps(me, 1).await.unwrap();
    store.farewell(me).await.unwrap();
    store.reclaim_silent(leader, GRACE).await.unwrap();
    called(&mut wake, "reclaim_silent").await;
    drain(&mut wake).await;
    let action_id = BootActionId(Ulid(7));
    let context = BootContext {
        node: "a".to_owned(),
        task,
        digest: digest(),
        design_ref: "x".to_owned(),
        key_hash: vec![1; 32],
        created: chrono::DateTime::UNIX_EPOCH,
        entries: vec![BootEntry {
            action_id,
            name: "x".into(),
            status: BootStatus::Incomplete,
        }],
    };
    let claim = claim_one(&store).await;
    open(&store, &claim, &context).await.unwrap();
    store
        .report_boot_action(action_id, Some(BootStatus::Success), &[])
        .await
        .unwrap();
    called(&mut wake, "report_boot_action").await;
    drain(&mut wake).await;
    store.terminate_task(task, "alice").await.unwrap();
    called(&mut wake, "terminate_task").await;
    drain(&mut wake).await;
    store.ping().await.unwrap();
    store.heartbeat(me).await.unwrap();
    store.return_unknown(me, &[]).await.unwrap();
    let idle = tokio::time::timeout(Duration::from_millis(150), wake.changed()).await;
    assert!(
        idle.is_err(),
        "neither a heartbeat nor a look for unknown claims is a change"
    );
}

pub async fn a_call_between_two_looks_is_kept(place: Place) {
    let store = place.open().await;
    let mut first = store.subscribe().await.unwrap();
    let mut second = store.subscribe().await.unwrap();
    store.create_task(&new_task(0)).await.unwrap();
    called(&mut first, "create_task").await;
    called(&mut second, "create_task").await;
}
