//! The upkeep of a database: its state, bringing it up to date, moving it to another back end. What needs PostgreSQL is
//! skipped without `DRYDOCK_TEST_POSTGRES`, as the contract suite is.

#![allow(clippy::unwrap_used, dead_code, missing_docs)]

#[path = "contract/boot.rs"]
mod boot;
#[path = "contract/build_data.rs"]
mod build_data;
#[path = "contract/claims.rs"]
mod claims;
#[path = "upkeep/copying.rs"]
mod copying;
#[path = "upkeep/killed.rs"]
mod killed;
#[path = "contract/operator.rs"]
mod operator;
#[path = "contract/place.rs"]
mod place;
#[path = "contract/purge.rs"]
mod purge;

use std::sync::Arc;
use std::time::Duration;

use drydock_model::store::StoreError;
use drydock_statemgmt::upkeep::{self, BackEnd, Migrated, Status};

use place::Place;

const LIMIT: Duration = Duration::from_secs(30);

async fn status(place: &Place) -> Status {
    let clock = Arc::new(place.clock.clone());
    upkeep::status(&place.url, true, LIMIT, clock)
        .await
        .unwrap()
}

async fn migrate(place: &Place) -> Migrated {
    let clock = Arc::new(place.clock.clone());
    upkeep::migrate(&place.url, LIMIT, clock).await.unwrap()
}

async fn a_database_is_brought_up_to_date_once(place: Place) {
    let ten: Vec<_> = (0..10)
        .map(|_| {
            let place = place.clone();
            tokio::spawn(async move { migrate(&place).await })
        })
        .collect();
    let mut done = Vec::new();
    for one in ten {
        done.push(one.await.unwrap());
    }
    let now = status(&place).await;
    let (mut did, found): (Vec<_>, Vec<_>) =
        done.into_iter().partition(|one| !one.applied.is_empty());
    assert_eq!((did.len(), found.len()), (1, 9), "one does it: {did:?}");
    let did = did.remove(0);
    assert_eq!((did.before, did.now), (None, now.known));
    let versions: Vec<i64> = did.applied.iter().map(|one| one.version).collect();
    assert_eq!(versions, (1..=now.known).collect::<Vec<_>>());
    assert_eq!(did.applied[0].description, "first");
    for one in found {
        assert_eq!((one.before, one.now), (Some(now.known), now.known));
    }
    // And none of it ran twice: what the first one puts in is there once.
    let leadership = now.tables.iter().find(|table| table.name == "leadership");
    assert_eq!(leadership.unwrap().rows, 1);
    place.open().await.ping().await.unwrap();
}

async fn the_state_is_told_without_a_change(place: Place) {
    if place.file.is_none() {
        let before = status(&place).await;
        assert_eq!(
            (before.schema, before.pending.len() as i64),
            (None, before.known)
        );
        assert_eq!(before.tables, []);
        assert_eq!(before, status(&place).await, "looking changes nothing");
    }
    migrate(&place).await;
    let after = status(&place).await;
    assert_eq!(after.schema, Some(after.known));
    assert_eq!((&after.pending[..], &after.unknown[..]), (&[][..], &[][..]));
    assert!(after.size > 10_000 && !after.copy_unfinished, "{after:?}");
    let (name, version) = match after.back_end {
        BackEnd::Postgres => ("postgres://127.0.0.1:", 13),
        BackEnd::Sqlite => ("sqlite:///", 3),
    };
    assert!(after.place.starts_with(name), "{}", after.place);
    let major = after.server_version.split('.').next().unwrap();
    assert!(major.parse::<i32>().unwrap() >= version, "{major}");
    let store = place.open().await;
    place::planned(
        &store,
        place::lead(&store).await,
        &place::plan([place::nodes(&["a", "b", "c"])]),
    )
    .await;
    let filled = status(&place).await;
    for (table, rows) in [("tasks", 1), ("steps", 3), ("pins", 0)] {
        let find = |status: &Status| {
            let tables = status.tables.iter();
            tables
                .clone()
                .find(|found| found.name == table)
                .unwrap()
                .clone()
        };
        let (empty, full) = (find(&after), find(&filled));
        assert_eq!(full.rows, rows, "{table}");
        assert_eq!(empty.digest == full.digest, rows == 0, "{table}");
    }
    place
        .execute(
            "INSERT INTO _sqlx_migrations
                 (version, description, installed_on, success, checksum, execution_time)
             VALUES (999, 'of tomorrow', CURRENT_TIMESTAMP, TRUE, 'x', 0)",
        )
        .await;
    assert_eq!(status(&place).await.unknown, [999]);
    let clock = Arc::new(place.clock.clone());
    let Err(StoreError::Conflict(text)) = upkeep::migrate(&place.url, LIMIT, clock).await else {
        panic!("a newer schema must be refused");
    };
    assert!(text.contains("999") && text.contains("newer"), "{text}");
}

#[tokio::test]
async fn what_is_not_there_is_not_made_by_looking() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("none.db");
    let clock = Arc::new(place::HandClock::new());
    let url = format!("sqlite://{}", file.display());
    let Err(StoreError::Unavailable(text)) = upkeep::status(&url, false, LIMIT, clock).await else {
        panic!("must be refused");
    };
    assert!(
        text.contains("none.db") && text.contains("db migrate"),
        "{text}"
    );
    assert!(!file.exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ten_migrate_sqlite() {
    place::on_sqlite(a_database_is_brought_up_to_date_once).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ten_migrate_postgres() {
    place::on_postgres(a_database_is_brought_up_to_date_once).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_state_of_sqlite() {
    place::on_sqlite(the_state_is_told_without_a_change).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_state_of_postgres() {
    place::on_postgres(the_state_is_told_without_a_change).await;
}
