//! PostgreSQL going away and coming back. Skipped without
//! `DRYDOCK_TEST_POSTGRES`, as the contract suite is.

#![allow(clippy::unwrap_used, dead_code, missing_docs)]

#[path = "contract/place.rs"]
mod place;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use drydock_model::store::StoreError;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use place::{Place, instance, lead, new_task};

/// A net under the test, never reached when the store does as it must.
const LONG: Duration = Duration::from_secs(30);

/// Passes connections on to the server; ends them all when it is cut.
fn forward(listener: TcpListener, server: SocketAddr) -> JoinHandle<()> {
    forward_until(listener, server, watch::channel(false).1)
}

/// As [`forward`], but a connection that was open while `vanished` held is open for ever and passes nothing on.
fn forward_until(
    listener: TcpListener,
    server: SocketAddr,
    vanished: watch::Receiver<bool>,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut open = JoinSet::new();
        loop {
            let (mut near, _) = listener.accept().await.unwrap();
            let mut vanished = vanished.clone();
            open.spawn(async move {
                let mut far = TcpStream::connect(server).await.unwrap();
                let vanishes = async {
                    let told = vanished.wait_for(|vanished| *vanished).await.is_ok();
                    if !told {
                        std::future::pending().await
                    }
                };
                tokio::select! {
                    // Either side hanging up ends it; what the error was does not matter.
                    _ = copy_bidirectional(&mut near, &mut far) => {}
                    () = vanishes => std::future::pending().await,
                }
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

/// The server vanishes without a word: connections stay open and nothing comes back.
async fn signs_of_life_do_not_wait_for_a_server_that_vanished(place: Place) {
    let (base, name) = place.url.rsplit_once('/').unwrap();
    let (user, server) = base.rsplit_once('@').unwrap();
    let server: SocketAddr = server.parse().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (vanish, vanished) = watch::channel(false);
    let forwarder = forward_until(listener, server, vanished);
    let url = format!("{user}@{address}/{name}?sslmode=disable");
    let store = drydock_statemgmt::open(&url, place.options(LONG))
        .await
        .unwrap();
    let me = instance();
    let leader = lead(&store).await;
    store.heartbeat(me).await.unwrap();
    vanish.send_replace(true);
    // More often than there are connections.
    for _ in 0..3 {
        let begun = Instant::now();
        let beat = store.heartbeat(me).await;
        assert!(matches!(beat, Err(StoreError::Unavailable(_))), "{beat:?}");
        let renewed = store.renew_leadership(leader).await;
        assert!(
            matches!(renewed, Err(StoreError::Unavailable(_))),
            "{renewed:?}"
        );
        assert!(begun.elapsed() < LONG / 3, "{:?}", begun.elapsed());
    }
    // Back again; what was open before stays dead.
    vanish.send_replace(false);
    let begun = Instant::now();
    while let Err(error) = store.heartbeat(me).await {
        assert!(begun.elapsed() < LONG, "{error}");
    }
    while let Err(error) = store.renew_leadership(leader).await {
        assert!(begun.elapsed() < LONG, "{error}");
    }
    cut(forwarder).await;
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
async fn a_vanished_server() {
    place::on_postgres(signs_of_life_do_not_wait_for_a_server_that_vanished).await;
}
