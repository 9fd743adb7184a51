//! Copies between back ends: the same on the other side, and refused where they must be.

use std::sync::Arc;
use std::time::Duration;

use drydock_model::change::ChangeOutcome;
use drydock_model::id::DesignId;
use drydock_model::ingest::{Format, Source};
use drydock_model::store::{Store, StoreError, StoreResult, TaskTree};
use drydock_statemgmt::upkeep::{self, BackEnd, Copied, CopyOptions};
use tempfile::TempDir;
use uuid::Uuid;

use crate::boot::{context, open};
use crate::build_data::collected;
use crate::claims::intent;
use crate::operator::answer;
use crate::place::{
    HandClock, Place, claim_one, digest, done, instance, lead, message, new_task, nodes,
    on_postgres, on_sqlite, pipeline, plan, planned,
};
use crate::{LIMIT, status};

/// A SQLite database beside another one.
pub fn sqlite_in(folder: &TempDir, name: &str, clock: &HandClock) -> Place {
    let file = folder.path().join(name);
    Place {
        url: format!("sqlite://{}", file.display()),
        clock: clock.clone(),
        file: Some(file),
    }
}

pub fn options(place: &Place) -> CopyOptions {
    CopyOptions {
        connect_timeout: LIMIT,
        force: false,
        batch: 7,
        clock: Arc::new(place.clock.clone()),
    }
}

pub async fn copy(from: &Place, to: &Place) -> StoreResult<Copied> {
    upkeep::copy(&from.url, &to.url, options(from)).await
}

pub async fn refusal(from: &Place, to: &Place) -> String {
    match copy(from, to).await {
        Err(StoreError::Conflict(text)) => text,
        other => panic!("must be refused: {other:?}"),
    }
}

/// Nobody was heard of for a long time.
pub async fn fall_silent(place: &Place) {
    place.execute("DELETE FROM instances").await;
    place
        .execute("UPDATE leadership SET instance = NULL, pinged = NULL")
        .await;
}

fn design() -> DesignId {
    DesignId(Uuid::new_v4())
}

fn sources(text: &str) -> Vec<Source> {
    let source = |name: &str| Source {
        name: name.into(),
        format: Format::Auto,
        text: format!("{text}: \"{name} \u{0} ü 💥\""),
        without: Vec::new(),
    };
    vec![source("a.yaml"), source("b.yaml")]
}

/// Something in every table, some of it odd.
pub async fn fill(store: &Arc<dyn Store>) {
    let (first, second) = (design(), design());
    store.create_design(first, None).await.unwrap();
    store
        .replace_sources(first, 0, &sources("first"))
        .await
        .unwrap();
    store.create_design(second, Some(first)).await.unwrap();
    store.delete_design(first).await.unwrap();
    store.create_design(design(), None).await.unwrap();
    store.pin(&digest(), &sources("pinned")).await.unwrap();
    let leader = lead(store).await;
    let shape = plan([nodes(&["a", "B", "ä", "y", "z"]), vec![pipeline(None, 2)]]);
    let task = planned(store, leader, &shape).await;
    let mut odd = new_task(-7);
    odd.context_marker = Some(Uuid::nil());
    odd.idempotency_key = Some("once\u{1F4A5}".to_owned());
    odd.design_ref = "x".repeat(5_000);
    odd.plan = Some(task);
    store.create_task(&odd).await.unwrap();
    for _ in 0..2 {
        let claim = claim_one(store).await;
        let entry = intent(&claim, "power_off");
        store.record_intent(claim.token, &entry).await.unwrap();
        let (outcome, took) = (ChangeOutcome::Done, Duration::from_millis(5));
        store
            .record_outcome(claim.token, entry.id, outcome, "it said \u{0}", took)
            .await
            .unwrap();
        let node = claim.step.node.clone().unwrap();
        open(store, &claim, &context(&node, task)).await.unwrap();
        let data = [collected(&claim, "lshw", "it is \u{0} odd")];
        store
            .record_build_data(claim.step.id, claim.token, &data)
            .await
            .unwrap();
        store
            .finish_step(claim.step.id, claim.token, &done())
            .await
            .unwrap();
    }
    let waits = claim_one(store).await;
    let (step, token) = (waits.step.id, waits.token);
    store
        .ask_operator(step, token, "press \u{0}")
        .await
        .unwrap();
    store
        .answer_operator(step, &answer(false, "\u{0} no"))
        .await
        .unwrap();
    let said = [message("\u{0} said \n")];
    store
        .wait_step(waits.step.id, waits.token, LIMIT, "the \u{0} end", 3, &said)
        .await
        .unwrap();
    let held = claim_one(store).await;
    let entry = intent(&held, "power_on");
    store.record_intent(held.token, &entry).await.unwrap();
    store.heartbeat(instance()).await.unwrap();
}

/// What the verbs show.
async fn seen(store: &Arc<dyn Store>) -> (Vec<TaskTree>, Vec<String>) {
    let trees = store.trees(&Default::default()).await.unwrap();
    let mut texts = Vec::new();
    for id in store.designs().await.unwrap() {
        texts.push(format!("{:?}", store.design(id).await.unwrap()));
    }
    texts.push(format!("{:?}", store.pinned(&digest()).await.unwrap()));
    for tree in &trees {
        let journal = store.task_journal(tree.task.id).await.unwrap();
        texts.extend(journal.iter().map(|entry| format!("{entry:?}")));
        let events = store.task_events(tree.task.id, 0, 1000).await.unwrap();
        texts.extend(events.iter().map(|event| format!("{event:?}")));
        let asked = store.operator_requests(tree.task.id).await.unwrap();
        texts.extend(asked.iter().map(|request| format!("{request:?}")));
        let data = store.task_build_data(tree.task.id).await.unwrap();
        texts.extend(data.iter().map(|one| format!("{one:?}")));
        for step in &tree.steps {
            if let Some(node) = &step.node
                && let Ok(context) = store.boot_context(node).await
            {
                texts.push(format!("{context:?}"));
            }
        }
    }
    texts.push(format!("{:?}", store.leader().await.unwrap()));
    (trees, texts)
}

async fn there_and_back(from: Place, there: Place, back: Place) {
    let before = {
        let store = from.open().await;
        fill(&store).await;
        seen(&store).await
    };
    // An instance is at work, as one may want to copy it all the same.
    let forced = CopyOptions {
        force: true,
        ..options(&from)
    };
    let copied = upkeep::copy(&from.url, &there.url, forced.clone())
        .await
        .unwrap();
    assert!(!copied.resumed);
    for table in &copied.tables {
        assert_eq!(table.rows, table.taken, "{}", table.name);
        let filled = table.rows > 0;
        assert!(filled, "nothing in {}: fill it for this test", table.name);
    }
    let names: Vec<_> = copied.tables.iter().map(|table| table.name).collect();
    upkeep::copy(&there.url, &back.url, forced.clone())
        .await
        .unwrap();
    let states = [&from, &there, &back].map(status);
    let mut digests = Vec::new();
    for state in states {
        let state = state.await;
        assert!(!state.copy_unfinished);
        assert_eq!(state.tables.len(), names.len());
        digests.push(state.tables);
    }
    assert!(digests[0] == digests[1] && digests[1] == digests[2]);
    assert!(digests[0].iter().all(|table| table.digest.is_some()));
    // Done already, it is found so.
    let again = upkeep::copy(&from.url, &there.url, forced).await.unwrap();
    assert_eq!(again.tables.iter().map(|table| table.taken).sum::<u64>(), 0);
    for place in [there, back] {
        let store = place.open().await;
        assert_eq!(seen(&store).await, before, "{}", place.url);
        goes_on(&place, &store).await;
    }
}

/// Numbers go on after those that were copied: what is new is the last.
async fn goes_on(place: &Place, store: &Arc<dyn Store>) {
    let new = design();
    store.create_design(new, None).await.unwrap();
    assert_eq!(*store.designs().await.unwrap().last().unwrap(), new);
    fall_silent(place).await;
    let reign = lead(store).await;
    assert_eq!(reign.epoch.0, 2, "a new reign is a later one");
    let claim = claim_one(store).await;
    let node = claim.step.node.clone();
    let mut entry = intent(&claim, "power_off");
    entry.node = Some("a".to_owned());
    store.record_intent(claim.token, &entry).await.unwrap();
    let journal = store.node_journal("a", 100).await.unwrap();
    assert_eq!(journal.last().unwrap().id, entry.id, "{node:?}");
}

async fn from_sqlite(there: Place) {
    let folder = tempfile::tempdir().unwrap();
    let sqlite = |name| sqlite_in(&folder, name, &there.clock);
    let (from, back) = (sqlite("from.db"), sqlite("back.db"));
    there_and_back(from, there, back).await;
}

async fn to_sqlite_and_sqlite(from: Place) {
    let folder = tempfile::tempdir().unwrap();
    let sqlite = |name| sqlite_in(&folder, name, &from.clock);
    let (there, back) = (sqlite("there.db"), sqlite("back.db"));
    there_and_back(from, there, back).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sqlite_to_postgres_to_sqlite() {
    on_postgres(from_sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn postgres_to_sqlite_to_sqlite() {
    on_postgres(to_sqlite_and_sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sqlite_to_sqlite_to_sqlite() {
    on_sqlite(to_sqlite_and_sqlite).await;
}

async fn postgres_to_postgres_to_sqlite(from: Place) {
    let (base, name) = from.url.rsplit_once('/').unwrap();
    let beside = format!("{name}_beside");
    from.execute(&format!("CREATE DATABASE {beside}")).await;
    let there = Place {
        url: format!("{base}/{beside}"),
        ..from.clone()
    };
    let folder = tempfile::tempdir().unwrap();
    let back = sqlite_in(&folder, "back.db", &from.clock);
    let test = tokio::spawn(there_and_back(from.clone(), there, back)).await;
    from.execute(&format!("DROP DATABASE {beside} WITH (FORCE)"))
        .await;
    test.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn postgres_to_postgres() {
    on_postgres(postgres_to_postgres_to_sqlite).await;
}

async fn a_copy_is_refused(from: Place) {
    let folder = tempfile::tempdir().unwrap();
    let sqlite = |name| sqlite_in(&folder, name, &from.clock);
    let to = sqlite("to.db");
    if from.file.is_none() {
        let text = refusal(&from, &to).await;
        assert!(text.contains("nothing of drydock's"), "{text}");
    }
    let store = from.open().await;
    fill(&store).await;
    let text = refusal(&from, &to).await;
    assert!(
        text.contains("is at work on") && text.contains("--force"),
        "{text}"
    );
    assert!(
        !to.file.as_ref().unwrap().exists(),
        "nothing is made before"
    );
    fall_silent(&from).await;
    let text = refusal(&from, &from).await;
    assert!(text.contains("the same database"), "{text}");

    // A target in use, by drydock and by somebody else.
    let used = sqlite("used.db");
    used.open().await.create_task(&new_task(0)).await.unwrap();
    let text = refusal(&from, &used).await;
    assert!(
        text.contains("holds something else: 1 row(s) in tasks"),
        "{text}"
    );
    let led = sqlite("led.db");
    lead(&led.open().await).await;
    let text = refusal(&from, &led).await;
    assert!(text.contains("row(s) in leadership"), "{text}");
    let others = sqlite("others.db");
    std::fs::write(others.file.as_ref().unwrap(), "").unwrap();
    others.execute("CREATE TABLE invoices (id integer)").await;
    let text = refusal(&from, &others).await;
    assert!(text.contains("something else: invoices"), "{text}");

    // A schema with more than this program takes along.
    from.execute("ALTER TABLE pins ADD COLUMN colour text")
        .await;
    let text = refusal(&from, &to).await;
    assert!(
        text.contains("column pins.colour that is not known"),
        "{text}"
    );
    from.execute("ALTER TABLE pins DROP COLUMN colour").await;
    from.execute("CREATE TABLE invoices (id integer)").await;
    let text = refusal(&from, &to).await;
    assert!(text.contains("table invoices that is not known"), "{text}");
    from.execute("DROP TABLE invoices").await;
    copy(&from, &to).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn refused_from_sqlite() {
    on_sqlite(a_copy_is_refused).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn refused_from_postgres() {
    on_postgres(a_copy_is_refused).await;
}

/// The copy stops at what does not fit; what was taken before is changed meanwhile.
async fn what_differs_in_the_end_is_named(to: Place) {
    let folder = tempfile::tempdir().unwrap();
    let from = sqlite_in(&folder, "from.db", &to.clock);
    let store = from.open().await;
    fill(&store).await;
    let task = store.queued(1).await.unwrap().remove(0);
    drop(store);
    fall_silent(&from).await;
    let by = |by: &str| format!("UPDATE tasks SET created_by = {by} WHERE status = 'queued'");
    from.execute(&by("'a' || char(0) || 'b'")).await;
    let text = refusal(&from, &to).await;
    let named = format!("tasks.created_by of the row [\"{}\"]", task.id);
    assert!(text.contains(&named) && text.contains("U+0000"), "{text}");

    // Half of it is there: no server takes it for a whole.
    let state = status(&to).await;
    assert!(state.copy_unfinished && state.back_end == BackEnd::Postgres);
    let Err(StoreError::Conflict(text)) = to.try_open().await.map(drop) else {
        panic!("a half copy must not be opened");
    };
    assert!(text.contains("begun and not ended"), "{text}");
    let text = refusal(&to, &sqlite_in(&folder, "to.db", &to.clock)).await;
    assert!(text.contains("end that one first"), "{text}");
    let other = sqlite_in(&folder, "other.db", &to.clock);
    drop(other.open().await);
    let text = refusal(&other, &to).await;
    assert!(text.contains("a copy of another database"), "{text}");

    from.execute(&by("'tester'")).await;
    from.execute("UPDATE designs SET revision = 77 WHERE seq = 3")
        .await;
    let text = refusal(&from, &to).await;
    assert!(
        text.contains("table designs has 2 row(s)") && text.contains("the row [3] is the first"),
        "{text}"
    );
    from.execute("UPDATE designs SET revision = 0 WHERE seq = 3")
        .await;
    let copied = copy(&from, &to).await.unwrap();
    assert!(copied.resumed);
    to.open().await.ping().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn named_when_it_differs() {
    on_postgres(what_differs_in_the_end_is_named).await;
}
