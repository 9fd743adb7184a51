//! PostgreSQL going away and coming back, and what its locks hold off. Skipped without
//! `DRYDOCK_TEST_POSTGRES`, as the contract suite is.

#![allow(clippy::unwrap_used, dead_code, missing_docs)]

#[path = "contract/place.rs"]
mod place;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use drydock_model::store::StoreError;
use sqlx::{Connection, PgConnection};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use place::{GRACE, Place, digest, done, instance, lead, new_task, nodes, plan, planned_at};

/// A net under the test, never reached when the store does as it must.
const LONG: Duration = Duration::from_secs(30);

/// Passes connections on to the server; ends them all when it is cut.
fn forward(listener: TcpListener, server: SocketAddr) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut open = JoinSet::new();
        loop {
            let (mut near, _) = listener.accept().await.unwrap();
            open.spawn(async move {
                let mut far = TcpStream::connect(server).await.unwrap();
                // Either side hanging up ends it; what the error was does not matter.
                let _ = copy_bidirectional(&mut near, &mut far).await;
            });
        }
    })
}

async fn cut(forwarder: JoinHandle<()>) {
    forwarder.abort();
    assert!(forwarder.await.unwrap_err().is_cancelled());
}

async fn an_outage_is_told_and_survived(place: Place) {
    let (base, name) = place.url.rsplit_once('/').unwrap();
    let (user, server) = base.rsplit_once('@').unwrap();
    let server: SocketAddr = server.parse().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let forwarder = forward(listener, server);
    let url = format!("{user}:geheim@{address}/{name}?sslmode=disable");
    let options = place.options(Duration::from_secs(1));
    let store = drydock_statemgmt::open(&url, options.clone())
        .await
        .unwrap();
    let mut wake = store.subscribe().await.unwrap();

    cut(forwarder).await;
    let text = match store.create_task(&new_task(0)).await {
        Err(StoreError::Unavailable(text)) => text,
        other => panic!("{other:?}"),
    };
    assert!(
        text.starts_with("taking a task: ") && !text.contains("geheim"),
        "{text}"
    );
    assert!(matches!(
        store.ping().await,
        Err(StoreError::Unavailable(_))
    ));
    let text = match drydock_statemgmt::open(&url, options).await.map(drop) {
        Err(StoreError::Unavailable(text)) => text,
        other => panic!("{other:?}"),
    };
    assert!(!text.contains("geheim"), "{text}");

    // While nobody here could hear it, another server takes a task.
    let other = place.open().await;
    let task = other.create_task(&new_task(0)).await.unwrap();
    let forwarder = forward(TcpListener::bind(address).await.unwrap(), server);
    tokio::time::timeout(LONG, wake.changed())
        .await
        .expect("a new connection is a call");
    assert_eq!(store.queued(9).await.unwrap(), [task]);
    // And it hears again.
    while tokio::time::timeout(Duration::from_millis(200), wake.changed())
        .await
        .is_ok()
    {}
    other.create_task(&new_task(0)).await.unwrap();
    tokio::time::timeout(LONG, wake.changed())
        .await
        .expect("it must listen again");
    cut(forwarder).await;
}

async fn ended_sessions_are_replaced(place: Place) {
    let store = place.open().await;
    let mut wake = store.subscribe().await.unwrap();
    place
        .execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        .await;
    tokio::time::timeout(LONG, wake.changed())
        .await
        .expect("a new connection is a call");
    store.create_task(&new_task(0)).await.unwrap();
}

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
    let claiming = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.claim_leadership(instance(), Duration::ZERO).await }
    });
    blocked(&place, 2).await;
    tx.commit().await.unwrap();
    planning.await.unwrap().unwrap();
    let next = claiming.await.unwrap().unwrap().unwrap();
    assert!(next.epoch > leader.epoch);
    let late = store.reclaim_silent(leader, GRACE).await;
    assert_eq!(late, Err(StoreError::Deposed));
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
async fn an_outage() {
    place::on_postgres(an_outage_is_told_and_survived).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ended_sessions() {
    place::on_postgres(ended_sessions_are_replaced).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_plan_under_way() {
    place::on_postgres(a_plan_under_way_holds_off_the_next_leader).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_claim_under_way() {
    place::on_postgres(a_claim_under_way_keeps_its_node).await;
}
