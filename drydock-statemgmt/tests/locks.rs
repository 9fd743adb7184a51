//! What PostgreSQL's locks hold off, and what they must not. Skipped without `DRYDOCK_TEST_POSTGRES`, as the contract
//! suite is.

#![allow(clippy::unwrap_used, dead_code, missing_docs)]

#[path = "contract/place.rs"]
mod place;

use std::sync::Arc;
use std::time::{Duration, Instant};

use drydock_model::store::StoreError;
use drydock_model::task::{ResultStatus, TaskStatus};
use sqlx::{Connection, PgConnection};

use place::{
    GRACE, Place, digest, done, instance, lead, new_task, nodes, plan, planned_at, statuses,
};

/// A net under the test, never reached when the store does as it must.
const LONG: Duration = Duration::from_secs(30);

/// What is not to be held up takes less, also on a busy machine; what is, takes longer.
const SOON: Duration = Duration::from_secs(9);

/// A plan that is being written holds the reign: nobody becomes leader in the middle of it.
async fn a_plan_under_way_holds_off_the_next_leader(place: Place) {
    let store = place.open().await;
    let leader = lead(&store).await;
    let task = store.create_task(&new_task(0)).await.unwrap().id;
    let mut conn = PgConnection::connect(&place.url).await.unwrap();
    let mut tx = conn.begin().await.unwrap();
    sqlx::query("SELECT 1 FROM tasks FOR UPDATE")
        .execute(&mut *tx)
        .await
        .unwrap();

    let planning = tokio::spawn({
        let store = Arc::clone(&store);
        let shape = plan([nodes(&["a"])]);
        async move { store.plan_task(leader, task, &digest(), &shape, &[]).await }
    });
    blocked(&place, 1).await;
    // It is not waited for: a leader at work lives. And it goes on saying so.
    let soon = tokio::time::timeout(SOON, store.claim_leadership(instance(), Duration::ZERO));
    assert_eq!(soon.await.unwrap(), Ok(None));
    let soon = tokio::time::timeout(SOON, store.renew_leadership(leader));
    assert_eq!(soon.await.unwrap(), Ok(true));
    let soon = tokio::time::timeout(SOON, store.claim_leadership(instance(), Duration::ZERO));
    assert_eq!(
        soon.await.unwrap(),
        Ok(None),
        "renewed, the reign is still held"
    );
    blocked(&place, 1).await;
    tx.commit().await.unwrap();
    planning.await.unwrap().unwrap();
    let next = store.claim_leadership(instance(), Duration::ZERO).await;
    assert!(next.unwrap().unwrap().epoch > leader.epoch);
    let late = store.reclaim_silent(leader, GRACE).await;
    assert_eq!(late, Err(StoreError::Deposed));
}

/// A new reign that is being written is waited for by whoever acts in the old one's name; other contenders go away.
async fn a_reign_under_way_refuses_the_old_leader(place: Place) {
    let store = place.open().await;
    let leader = lead(&store).await;
    let task = store.create_task(&new_task(0)).await.unwrap().id;
    let mut conn = PgConnection::connect(&place.url).await.unwrap();
    let mut tx = conn.begin().await.unwrap();
    // As a claim ends; that it locks the row for more than this must not be what keeps the old leader out.
    sqlx::query("UPDATE leadership SET instance = $1, epoch = epoch + 1")
        .bind(instance().0)
        .execute(&mut *tx)
        .await
        .unwrap();
    let soon = tokio::time::timeout(SOON, store.claim_leadership(instance(), Duration::ZERO));
    assert_eq!(soon.await.unwrap(), Ok(None));
    let acts = tokio::spawn({
        let store = Arc::clone(&store);
        let shape = plan([nodes(&["a"])]);
        async move {
            let digest = digest();
            let planning = store.plan_task(leader, task, &digest, &shape, &[]);
            let ending = store.end_task(leader, task, ResultStatus::Success, None, &[]);
            tokio::join!(planning, ending, store.reclaim_silent(leader, GRACE))
        }
    });
    blocked(&place, 3).await;
    tx.commit().await.unwrap();
    let (planned, ended, reclaimed) = acts.await.unwrap();
    assert_eq!(planned, Err(StoreError::Deposed));
    assert_eq!(ended, Err(StoreError::Deposed));
    assert_eq!(reclaimed, Err(StoreError::Deposed));
    let tree = store.tree(task).await.unwrap();
    assert_eq!(tree.task.status, TaskStatus::Queued);
}

/// All connections are at slow reads; an instance lives and leads all the same.
async fn slow_reads_hold_up_no_sign_of_life(place: Place) {
    let store = place.open().await;
    let leader = lead(&store).await;
    let mut conn = PgConnection::connect(&place.url).await.unwrap();
    let mut tx = conn.begin().await.unwrap();
    sqlx::query("LOCK TABLE designs IN ACCESS EXCLUSIVE MODE")
        .execute(&mut *tx)
        .await
        .unwrap();
    let readers: Vec<_> = (0..8)
        .map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.designs().await.unwrap() })
        })
        .collect();
    blocked(&place, 4).await;
    let me = instance();
    store.heartbeat(me).await.unwrap();
    assert!(store.renew_leadership(leader).await.unwrap());
    assert_eq!(store.claim_leadership(me, GRACE).await.unwrap(), None);
    store.abdicate(leader).await.unwrap();
    store.farewell(me).await.unwrap();
    tx.commit().await.unwrap();
    for reader in readers {
        assert_eq!(reader.await.unwrap(), []);
    }
}

/// Whatever holds a sign of life up: its instance learns of it while there is time to act on it.
async fn a_sign_of_life_that_is_held_up_is_given_up(place: Place) {
    let store = place.open().await;
    let leader = lead(&store).await;
    let me = instance();
    store.heartbeat(me).await.unwrap();
    let mut conn = PgConnection::connect(&place.url).await.unwrap();
    let mut tx = conn.begin().await.unwrap();
    sqlx::raw_sql("LOCK TABLE instances, leadership IN ACCESS EXCLUSIVE MODE")
        .execute(&mut *tx)
        .await
        .unwrap();
    let begun = Instant::now();
    let (beat, gone, renewed, claimed) = tokio::join!(
        store.heartbeat(me),
        store.farewell(me),
        store.renew_leadership(leader),
        store.claim_leadership(me, GRACE),
    );
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    for held_up in [
        beat.map(drop),
        gone.map(drop),
        renewed.map(drop),
        claimed.map(drop),
    ] {
        assert!(
            matches!(held_up, Err(StoreError::Unavailable(_))),
            "{held_up:?}"
        );
    }
    tx.commit().await.unwrap();
    store.heartbeat(me).await.unwrap();
    assert!(store.renew_leadership(leader).await.unwrap());
}

/// An instance that speaks again while its steps are being taken back speaks after that, not in the middle.
async fn a_late_heartbeat_waits_for_the_taking_back(place: Place) {
    let store = place.open().await;
    let leader = lead(&store).await;
    let task = planned_at(&store, leader, &plan([nodes(&["a"])]), 0).await;
    let late = instance();
    store.claim_steps(late, 1).await.unwrap();
    place
        .execute("UPDATE instances SET beat = beat - interval '2 hours'")
        .await;
    let mut conn = PgConnection::connect(&place.url).await.unwrap();
    let mut tx = conn.begin().await.unwrap();
    sqlx::query("SELECT 1 FROM tasks FOR UPDATE")
        .execute(&mut *tx)
        .await
        .unwrap();
    let taking = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.reclaim_silent(leader, GRACE).await }
    });
    blocked(&place, 1).await;
    let beating = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.heartbeat(late).await }
    });
    blocked(&place, 2).await;
    tx.commit().await.unwrap();
    assert_eq!(taking.await.unwrap(), Ok(1));
    beating.await.unwrap().unwrap();
    assert_eq!(statuses(&store, task).await, ["ready"]);
    // It lives again, with what it claims from now on.
    store.claim_steps(late, 1).await.unwrap();
    assert_eq!(store.reclaim_silent(leader, GRACE).await, Ok(0));
}

/// A claim that is not committed yet is seen by the next claimer all the same, even if that one finds a
/// better step for the same node.
async fn a_claim_under_way_keeps_its_node(place: Place) {
    let store = place.open().await;
    let leader = lead(&store).await;
    let first = planned_at(&store, leader, &plan([nodes(&["a"])]), 0).await;
    let me = instance();
    let mut conn = PgConnection::connect(&place.url).await.unwrap();
    let mut tx = conn.begin().await.unwrap();
    // A claim ends with its instance's heartbeat: that is where this one stops.
    sqlx::query("INSERT INTO instances (id, beat) VALUES ($1, now())")
        .bind(me.0)
        .execute(&mut *tx)
        .await
        .unwrap();
    let claim = |by| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.claim_steps(by, 9).await.unwrap() })
    };
    let mine = claim(me);
    blocked(&place, 1).await;
    planned_at(&store, leader, &plan([nodes(&["a"])]), 100).await;
    let theirs = claim(instance());
    blocked(&place, 2).await;
    tx.rollback().await.unwrap();
    let mine = mine.await.unwrap();
    assert_eq!(mine[0].step.task, first);
    assert_eq!(theirs.await.unwrap(), []);
    store
        .finish_step(mine[0].step.id, mine[0].token, &done())
        .await
        .unwrap();
    assert_eq!(store.claim_steps(instance(), 9).await.unwrap().len(), 1);
}

/// A claim whose caller has given it up may still come about: who asks for unknown claims waits for it.
async fn a_claim_under_way_is_not_overlooked(place: Place) {
    let store = place.open().await;
    let leader = lead(&store).await;
    let task = planned_at(&store, leader, &plan([nodes(&["a"])]), 0).await;
    let me = instance();
    let mut conn = PgConnection::connect(&place.url).await.unwrap();
    let mut tx = conn.begin().await.unwrap();
    sqlx::query("INSERT INTO instances (id, beat) VALUES ($1, now())")
        .bind(me.0)
        .execute(&mut *tx)
        .await
        .unwrap();
    let claiming = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.claim_steps(me, 9).await }
    });
    blocked(&place, 1).await;
    let returning = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.return_unknown(me, &[]).await }
    });
    blocked(&place, 2).await;
    tx.rollback().await.unwrap();
    assert_eq!(claiming.await.unwrap().unwrap().len(), 1);
    assert_eq!(returning.await.unwrap(), Ok(1));
    assert_eq!(statuses(&store, task).await, ["ready"]);
}

/// What has ended on a node long ago costs a claim nothing.
async fn a_claim_reads_only_what_is_open(place: Place) {
    let store = place.open().await;
    let leader = lead(&store).await;
    let task = planned_at(&store, leader, &plan([nodes(&["a"])]), 0).await;
    place
        .execute(&format!(
            "INSERT INTO steps (id, task, pipeline, stage, pipeline_ordinal, ordinal, node, action, condition, status,
                 timeout_s, updated)
             SELECT gen_random_uuid(), '{task}', gen_random_uuid(), 1, number, 0, 'a', 'noop', 'always', 'done', 1, now()
             FROM generate_series(1, 20000) AS number;
             ANALYZE steps;"
        ))
        .await;
    let mut conn = PgConnection::connect(&place.url).await.unwrap();
    assert_eq!(store.claim_steps(instance(), 9).await.unwrap().len(), 1);
    let begun = Instant::now();
    loop {
        // Sessions report their use of an index now and then.
        let used: i64 = sqlx::query_scalar(
            "SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = 'steps_busy'",
        )
        .fetch_one(&mut conn)
        .await
        .unwrap();
        if used > 0 {
            return;
        }
        assert!(begun.elapsed() < LONG, "the index is not used");
        store.claim_steps(instance(), 9).await.unwrap();
    }
}

/// Waits until so many sessions of this database wait for a lock.
async fn blocked(place: &Place, count: i64) {
    let mut conn = PgConnection::connect(&place.url).await.unwrap();
    let begun = std::time::Instant::now();
    loop {
        let waiting: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity
             WHERE datname = current_database() AND wait_event_type = 'Lock'",
        )
        .fetch_one(&mut conn)
        .await
        .unwrap();
        if waiting == count {
            return;
        }
        assert!(
            begun.elapsed() < LONG,
            "{waiting} sessions wait for a lock, not {count}"
        );
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_plan_under_way() {
    place::on_postgres(a_plan_under_way_holds_off_the_next_leader).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_reign_under_way() {
    place::on_postgres(a_reign_under_way_refuses_the_old_leader).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn slow_reads() {
    place::on_postgres(slow_reads_hold_up_no_sign_of_life).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_held_up_sign_of_life() {
    place::on_postgres(a_sign_of_life_that_is_held_up_is_given_up).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_late_heartbeat() {
    place::on_postgres(a_late_heartbeat_waits_for_the_taking_back).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_claim_under_way() {
    place::on_postgres(a_claim_under_way_keeps_its_node).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_unknown_claim_under_way() {
    place::on_postgres(a_claim_under_way_is_not_overlooked).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ended_steps() {
    place::on_postgres(a_claim_reads_only_what_is_open).await;
}
