//! SQLite alone: two processes on one file, a store in memory, and files that cannot be.

#![allow(clippy::unwrap_used, dead_code, missing_docs)]

#[path = "contract/place.rs"]
mod place;

use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use drydock_model::store::{Store, StoreError};
use drydock_model::task::TaskStatus;
use sqlx::{Connection, SqliteConnection};

use place::{Place, done, instance, lead, nodes, pipeline, plan, planned};

const URL: &str = "DRYDOCK_TEST_SQLITE_URL";
/// A net under the test, so that a worker that fails does not leave the others at it for ever.
const LONG: Duration = Duration::from_secs(60);
const CHILD: &str = "the_second_process";

/// Sixteen claimers work until the task has ended; how many steps they did.
async fn work(store: &Arc<dyn Store>) -> usize {
    let workers: Vec<_> = (0..16)
        .map(|_| {
            let store = Arc::clone(store);
            tokio::spawn(async move {
                let (mut count, begun) = (0, Instant::now());
                loop {
                    assert!(begun.elapsed() < LONG, "a claimed step was never ended");
                    for claim in store.claim_steps(instance(), 2).await.unwrap() {
                        store
                            .finish_step(claim.step.id, claim.token, &done())
                            .await
                            .unwrap();
                        count += 1;
                    }
                    let trees = store.trees(&Default::default()).await.unwrap();
                    if trees[0].task.status == TaskStatus::Complete {
                        return count;
                    }
                }
            })
        })
        .collect();
    let mut count = 0;
    for worker in workers {
        count += worker.await.unwrap();
    }
    count
}

async fn steps_are_shared_by_two_processes(place: Place) {
    let store = place.open().await;
    let leader = lead(&store).await;
    let names: Vec<_> = (0..40).map(|number| format!("n{number}")).collect();
    let pipelines = names.iter().map(|name| pipeline(Some(name), 5)).collect();
    planned(&store, leader, &plan([pipelines, nodes(&["a", "b"])])).await;
    let child = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", CHILD, "--nocapture"])
        .env(URL, &place.url)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let (mine, output) = tokio::join!(work(&store), child.wait_with_output());
    let output = output.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    let theirs = text
        .lines()
        .find_map(|line| line.split_once("did ")?.1.parse::<usize>().ok());
    assert_eq!(mine + theirs.unwrap(), 202, "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_processes() {
    place::on_sqlite(steps_are_shared_by_two_processes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_second_process() {
    // The other half of `two_processes`, which starts it and checks what it says; by itself it has nothing to share.
    let Ok(url) = std::env::var(URL) else { return };
    let file = url.trim_start_matches("sqlite://").into();
    let place = Place {
        url,
        clock: place::HandClock::new(),
        file: Some(file),
    };
    let store = place.open().await;
    println!("\ndid {}", work(&store).await);
}

#[tokio::test]
async fn a_store_in_memory_is_its_own() {
    for url in ["sqlite::memory:", "sqlite://:memory:"] {
        let place = Place {
            url: url.into(),
            clock: place::HandClock::new(),
            file: None,
        };
        let (one, other) = (place.open().await, place.open().await);
        let leader = lead(&one).await;
        let task = planned(&one, leader, &plan([nodes(&["a"])])).await;
        assert_eq!(work(&one).await, 1);
        assert_eq!(
            one.tree(task).await.unwrap().task.status,
            TaskStatus::Complete
        );
        assert_eq!(other.tree(task).await, Err(StoreError::NotFound));
    }
}

/// Another process is at a long write.
async fn a_sign_of_life_that_is_held_up_is_given_up(place: Place) {
    let store = place.open().await;
    let leader = lead(&store).await;
    let me = instance();
    let mut conn = SqliteConnection::connect(&place.url).await.unwrap();
    let mut tx = conn.begin_with("BEGIN IMMEDIATE").await.unwrap();
    sqlx::query("DELETE FROM journal")
        .execute(&mut *tx)
        .await
        .unwrap();
    let begun = Instant::now();
    let beat = store.heartbeat(me).await;
    assert!(matches!(beat, Err(StoreError::Unavailable(_))), "{beat:?}");
    let renewed = store.renew_leadership(leader).await;
    assert!(
        matches!(renewed, Err(StoreError::Unavailable(_))),
        "{renewed:?}"
    );
    assert!(begun.elapsed() < LONG / 4, "{:?}", begun.elapsed());
    tx.rollback().await.unwrap();
    store.heartbeat(me).await.unwrap();
    assert!(store.renew_leadership(leader).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_held_up_sign_of_life() {
    place::on_sqlite(a_sign_of_life_that_is_held_up_is_given_up).await;
}

async fn a_commit_is_on_the_disk(place: Place) {
    let store = place.open().await;
    store.ping().await.unwrap();
    let header = std::fs::read(place.file.unwrap()).unwrap();
    // Bytes 18 and 19 of the header are 2 for WAL, https://www.sqlite.org/fileformat2.html
    assert_eq!(header[18..20], [2, 2]);
}

#[tokio::test]
async fn the_file_keeps_a_write_ahead_log() {
    place::on_sqlite(a_commit_is_on_the_disk).await;
}

#[tokio::test]
async fn what_cannot_be_opened_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let clock = place::HandClock::new();
    let missing = format!("sqlite://{}/no/such/folder.db", folder.path().display());
    let place = Place {
        url: missing,
        clock: clock.clone(),
        file: None,
    };
    match place.try_open().await.map(drop) {
        Err(StoreError::Unavailable(text)) => assert!(text.contains("no/such/folder.db"), "{text}"),
        other => panic!("{other:?}"),
    }
    let garbage = folder.path().join("garbage.db");
    std::fs::write(
        &garbage,
        "this is no database, however long one looks at it".repeat(40),
    )
    .unwrap();
    let url = format!("sqlite://{}", garbage.display());
    let place = Place {
        url,
        clock: clock.clone(),
        file: None,
    };
    let error = place.try_open().await.map(drop).unwrap_err();
    assert!(error.to_string().contains("not a database"), "{error}");
    for url in ["mysql://root:geheim@127.0.0.1/x", "drydock.db", ""] {
        let place = Place {
            url: url.into(),
            clock: clock.clone(),
            file: None,
        };
        match place.try_open().await.map(drop) {
            Err(StoreError::Conflict(text)) => assert!(!text.contains("geheim"), "{text}"),
            other => panic!("{other:?}"),
        }
    }
}
