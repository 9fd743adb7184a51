//! A copy whose process is killed, again and again, goes on and takes nothing twice.

use std::process::Stdio;
use std::time::Instant;

use drydock_statemgmt::upkeep::{self, CopyOptions};
use sqlx::{Connection, PgConnection, SqliteConnection};
use tokio::process::{Child, Command};

use crate::copying::{copy, fall_silent, options, sqlite_in};
use crate::place::{self, Place, on_postgres, pipeline, plan, planned};
use crate::{LIMIT, status};

const FROM: &str = "DRYDOCK_TEST_COPY_FROM";
const TO: &str = "DRYDOCK_TEST_COPY_TO";
const CHILD: &str = "killed::the_copying_process";

/// How many times it is killed.
const KILLS: usize = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_copying_process() {
    // What the tests below kill; by itself it has nothing to copy.
    let (Ok(from), Ok(to)) = (std::env::var(FROM), std::env::var(TO)) else {
        return;
    };
    let place = Place {
        url: from.clone(),
        clock: place::HandClock::new(),
        file: None,
    };
    // A row at a time, so that there is much to be killed in the middle of.
    let slow = CopyOptions {
        batch: 1,
        ..options(&place)
    };
    upkeep::copy(&from, &to, slow).await.unwrap();
}

fn begin(from: &Place, to: &Place) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", CHILD, "--nocapture"])
        .env(FROM, &from.url)
        .env(TO, &to.url)
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// The last step that the target has taken; nothing before the first.
async fn progress(to: &Place) -> String {
    let sql = "SELECT last_key FROM drydock_copy WHERE name = 'steps'";
    let read = match &to.file {
        // Not there before the copy makes it.
        Some(_) => match SqliteConnection::connect(&to.url).await {
            Ok(mut conn) => sqlx::query_scalar(sql).fetch_one(&mut conn).await,
            Err(error) => Err(error),
        },
        None => {
            let mut conn = PgConnection::connect(&to.url).await.unwrap();
            sqlx::query_scalar(sql).fetch_one(&mut conn).await
        }
    };
    read.unwrap_or_default()
}

async fn a_killed_copy_goes_on(from: Place, to: Place) {
    let store = from.open().await;
    let leader = place::lead(&store).await;
    let names: Vec<_> = (0..300).map(|number| format!("n{number}")).collect();
    let pipelines = names.iter().map(|name| pipeline(Some(name), 5)).collect();
    planned(&store, leader, &plan([pipelines])).await;
    drop(store);
    fall_silent(&from).await;
    let mut last = String::new();
    for _ in 0..KILLS {
        let mut child = begin(&from, &to);
        let begun = Instant::now();
        loop {
            let now = progress(&to).await;
            if now > last {
                last = now;
                break;
            }
            let ended = child.try_wait().unwrap();
            assert!(ended.is_none(), "it ended before it was killed: {ended:?}");
            assert!(begun.elapsed() < 4 * LIMIT, "no progress after {last:?}");
        }
        child.kill().await.unwrap();
    }
    let half = status(&to).await;
    assert!(half.copy_unfinished);
    let there = half.tables.iter().find(|table| table.name == "steps");
    let there = there.unwrap().rows;
    assert!((1..1500).contains(&there), "{there} of 1500");
    let copied = copy(&from, &to).await.unwrap();
    assert!(copied.resumed);
    let steps = copied.tables.iter().find(|table| table.name == "steps");
    let steps = steps.unwrap();
    assert_eq!((steps.rows, steps.taken), (1500, 1500 - there));
    assert_eq!(status(&from).await.tables, status(&to).await.tables);
    assert!(!status(&to).await.copy_unfinished);
}

async fn to_postgres(to: Place) {
    let folder = tempfile::tempdir().unwrap();
    let from = sqlite_in(&folder, "from.db", &to.clock);
    a_killed_copy_goes_on(from, to).await;
}

async fn to_sqlite(from: Place) {
    let folder = tempfile::tempdir().unwrap();
    let to = sqlite_in(&folder, "to.db", &from.clock);
    a_killed_copy_goes_on(from, to).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn killed_on_the_way_to_postgres() {
    on_postgres(to_postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn killed_on_the_way_to_sqlite() {
    on_postgres(to_sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn killed_between_two_files() {
    place::on_sqlite(to_sqlite).await;
}
