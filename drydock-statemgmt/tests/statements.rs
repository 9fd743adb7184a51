//! Every statement of the crate is one that both databases understand, and finds its rows by an index. PostgreSQL's half
//! is skipped without `DRYDOCK_TEST_POSTGRES`, as the contract suite is.

#![allow(clippy::unwrap_used, dead_code, missing_docs)]

#[path = "contract/place.rs"]
mod place;
#[path = "statements/source.rs"]
mod source;

use drydock_model::id::TaskId;
use drydock_model::store::TaskQuery;
use drydock_model::task::{TaskAction, TaskStatus};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row, SqlSafeStr, SqliteConnection};

use place::{Place, claim_one, lead, new_task, pipeline, plan, planned};
use source::{Statement, statements};

/// The work of the engine, and the indexes by which it finds what it is about. A heartbeat has a plan on PostgreSQL only.
const HOT: [(&str, &[&str]); 9] = [
    // A claim.
    ("WITH due AS", &["steps_due", "steps_busy"]),
    // What comes after an end.
    (
        "SELECT id, pipeline, ordinal, status",
        &["steps_of_pipeline"],
    ),
    // The queue; SQLite finds it by its status and sorts it.
    (
        "SELECT * FROM tasks WHERE status = 'queued'",
        &["tasks_queue|tasks_by_status"],
    ),
    (
        "SELECT * FROM journal WHERE step = $1",
        &["journal_of_step"],
    ),
    // GET /tasks, and the steps of what it lists.
    (
        "SELECT * FROM tasks WHERE TRUE",
        &["tasks_by_age|tasks_by_status|tasks_by_action|tasks_by_design"],
    ),
    ("SELECT s.*, CASE", &["steps_of_task|steps_open"]),
    // A heartbeat.
    ("INSERT INTO instances", &["instances_pkey"]),
    // What silent instances hold.
    (
        "DELETE FROM instances WHERE beat < $1",
        &["instances_by_beat"],
    ),
    (
        "SELECT task, token FROM steps s WHERE s.holder IS NOT NULL",
        &["steps_held"],
    ),
];

/// What reads a table from end to end because all of it is asked for, or because it has one row.
const WHOLE: [&str; 10] = [
    "SELECT id FROM designs ORDER BY seq",
    "SELECT instance, epoch FROM leadership WHERE instance IS NOT NULL",
    "SELECT epoch FROM leadership WHERE instance = $1",
    "UPDATE leadership SET instance = NULL",
    // Counted whole, by the index of the status.
    "SELECT status, COUNT(*) AS count FROM tasks",
    // Now and then, of a table of a few rows: contents that nothing refers to any more.
    "DELETE FROM pins WHERE created < $1",
    // The upkeep, by hand.
    "SELECT MAX(seen) FROM",
    "SELECT name, source, last_key, ended FROM drydock_copy",
    "SELECT version FROM _sqlx_migrations",
    "SELECT m.name AS in_table",
];

/// What is about all that an index of open steps holds.
const OPEN: [&str; 3] = [
    // On how many nodes work is under way, and when the next step is due.
    "SELECT COUNT(*) FROM steps s WHERE s.node IS NOT NULL",
    "SELECT MIN(COALESCE(s.not_before",
    "SELECT task, token FROM steps s WHERE s.holder IS NOT NULL",
];

/// Indexes that hold little however large a task is, so that one may be read from end to end: what works on the site.
const SMALL: [&str; 1] = ["steps_busy_site"];

/// The same text however it is broken into lines.
fn plain(sql: &str) -> String {
    sql.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn begins(statement: &Statement, beginnings: &[&str]) -> bool {
    let text = plain(&statement.sql);
    beginnings
        .iter()
        .any(|beginning| text.starts_with(beginning.trim_end()))
}

/// As it is prepared: what is added while the program runs is the order of the list of tasks, and the values of an INSERT,
/// which gets one row of them here.
fn whole(statement: &Statement) -> String {
    let sql = plain(&statement.sql);
    if sql.ends_with("WHERE TRUE") {
        return format!("{sql} ORDER BY created, id");
    }
    if !sql.starts_with("INSERT") || sql.contains("VALUES") || sql.contains("SELECT") {
        return sql;
    }
    let (_, columns) = sql.split_once('(').unwrap();
    let count = columns.split_once(')').unwrap().0.split(',').count();
    let places: Vec<_> = (1..=count).map(|place| format!("${place}")).collect();
    format!("{sql} VALUES ({})", places.join(", "))
}

/// The tables that statements make, after those that migrations make.
async fn make_tables(place: &Place, all: &[Statement]) {
    for statement in all {
        if statement.sql.starts_with("CREATE TABLE ") {
            let sql = statement.sql.replace("TABLE ", "TABLE IF NOT EXISTS ");
            place.execute(&sql).await;
        }
    }
}

/// Those that are prepared and explained: the others make and unmake what these are about.
fn checked(all: &[Statement]) -> impl Iterator<Item = &Statement> {
    let skipped = ["CREATE", "DROP", "BEGIN"];
    all.iter()
        .filter(move |statement| !begins(statement, &skipped))
}

fn check_found(all: &[Statement]) {
    assert!(all.len() > 80, "only {} statements were found", all.len());
    for (hot, _) in HOT {
        let found = all.iter().any(|statement| begins(statement, &[hot]));
        assert!(found, "there is no statement {hot:?} any more; correct HOT");
    }
    for whole in WHOLE {
        let found = all.iter().any(|statement| begins(statement, &[whole]));
        let elsewhere = whole.starts_with("SELECT m.name");
        assert!(
            found || elsewhere,
            "there is no statement {whole:?} any more; correct WHOLE"
        );
    }
}

#[test]
fn the_statements_are_found() {
    for back_end in ["sqlite", "postgres"] {
        check_found(&statements(back_end));
    }
}

async fn every_statement_is_understood_by_sqlite(place: Place) {
    drop(place.open().await);
    let all = statements("sqlite");
    make_tables(&place, &all).await;
    let mut conn = SqliteConnection::connect(&place.url).await.unwrap();
    for statement in checked(&all) {
        let sql = AssertSqlSafe(whole(statement)).into_sql_str();
        if let Err(error) = (&mut conn).prepare(sql).await {
            panic!("{}: {error}\n{}", statement.file, statement.sql);
        }
    }
}

async fn every_statement_is_understood_by_postgres(place: Place) {
    drop(place.open().await);
    let all = statements("postgres");
    make_tables(&place, &all).await;
    let mut conn = PgConnection::connect(&place.url).await.unwrap();
    for statement in checked(&all) {
        let sql = AssertSqlSafe(whole(statement)).into_sql_str();
        if let Err(error) = (&mut conn).prepare(sql).await {
            panic!("{}: {error}\n{}", statement.file, statement.sql);
        }
    }
}

async fn no_statement_scans_a_sqlite_table(place: Place) {
    drop(place.open().await);
    let scans = sqlite_scans(&place).await;
    assert!(scans.is_empty(), "{}", scans.join("\n"));
    // And it would be seen if one did.
    place
        .execute("DROP INDEX journal_of_step; DROP INDEX instances_by_beat")
        .await;
    check_seen(&sqlite_scans(&place).await);
}

/// The indexes that a hot statement does not use.
fn unused(statement: &Statement, plan: &[String]) -> Vec<String> {
    let hot = HOT.iter().filter(|(hot, _)| begins(statement, &[hot]));
    let wanted = hot.flat_map(|(_, indexes)| indexes.iter());
    let plan = plan.join("\n");
    wanted
        .filter(|indexes| !plan.is_empty() && !indexes.split('|').any(|index| plan.contains(index)))
        .map(|index| format!("{index} is not used: {}: {plan}", plain(&statement.sql)))
        .collect()
}

fn check_seen(scans: &[String]) {
    for missing in [
        "WHERE step = $1 ORDER BY seq",
        "DELETE FROM instances WHERE",
    ] {
        let seen = scans.iter().any(|scan| scan.contains(missing));
        assert!(seen, "{missing}: {scans:#?}");
    }
}

/// What reads a table from end to end although only some of it is wanted.
async fn sqlite_scans(place: &Place) -> Vec<String> {
    let all = statements("sqlite");
    make_tables(place, &all).await;
    let mut conn = SqliteConnection::connect(&place.url).await.unwrap();
    let mut scans = Vec::new();
    for statement in checked(&all).cloned().chain(lists()) {
        let statement = &statement;
        let sql = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {}", whole(statement)));
        let rows = sqlx::raw_sql(sql).fetch_all(&mut conn).await.unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.get("detail")).collect();
        scans.extend(unused(statement, &plan));
        for line in &plan {
            let Some(scanned) = line.strip_prefix("SCAN ") else {
                continue;
            };
            // A list that was handed in, what the statement itself has put together, one row of constants.
            let made = [
                "json_each",
                "candidates",
                "c",
                "picked",
                "begun",
                "held",
                "due",
            ];
            let made = made.contains(&scanned.split(' ').next().unwrap())
                || scanned == "sqlite_schema"
                || scanned.starts_with('(')
                || scanned.contains("VIRTUAL TABLE")
                || scanned.ends_with("CONSTANT ROW");
            if !made && !scanned.contains("INDEX") && !begins(statement, &WHOLE) {
                let text = plain(&statement.sql);
                scans.push(format!("{}: {line}: {text}: {plan:#?}", statement.file));
            }
        }
    }
    scans
}

async fn no_statement_scans_a_postgres_table(place: Place) {
    let store = place.open().await;
    let leader = lead(&store).await;
    let names: Vec<_> = (0..300).map(|number| format!("n{number}")).collect();
    let pipelines = |_| names.iter().map(|name| pipeline(Some(name), 3)).collect();
    for number in 0..4 {
        planned(&store, leader, &plan([0, 1].map(pipelines))).await;
        store.create_task(&new_task(number)).await.unwrap();
    }
    claim_one(&store).await;
    // Before anything is known of the steps, and after.
    let scans = postgres_scans(&place).await;
    assert!(scans.is_empty(), "{}", scans.join("\n"));
    place.execute("ANALYZE").await;
    let scans = postgres_scans(&place).await;
    assert!(scans.is_empty(), "{}", scans.join("\n"));
    place
        .execute("DROP INDEX journal_of_step; DROP INDEX instances_by_beat")
        .await;
    check_seen(&postgres_scans(&place).await);
}

/// As [`sqlite_scans`].
async fn postgres_scans(place: &Place) -> Vec<String> {
    let all = statements("postgres");
    make_tables(place, &all).await;
    let mut conn = PgConnection::connect(&place.url).await.unwrap();
    // As the store has it, but for the generic plan, which is one for any argument. Without a way by an index a table is scanned all the same.
    sqlx::raw_sql(
        "SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_material = off;
         SET plan_cache_mode = force_generic_plan",
    )
    .execute(&mut conn)
    .await
    .unwrap();
    let mut scans = Vec::new();
    for statement in checked(&all).cloned().chain(lists()) {
        let statement = &statement;
        let sql = whole(statement);
        let count = (1..30)
            .take_while(|place| sql.contains(&format!("${place}")))
            .count();
        let nulls = match count {
            0 => String::new(),
            count => format!("({})", vec!["NULL"; count].join(", ")),
        };
        for sql in [
            "DEALLOCATE ALL".to_owned(),
            format!("PREPARE statement AS {sql}"),
        ] {
            let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut conn).await;
            done.unwrap_or_else(|error| panic!("{error}: {statement:?}"));
        }
        let sql = AssertSqlSafe(format!("EXPLAIN EXECUTE statement{nulls}"));
        let rows = sqlx::raw_sql(sql).fetch_all(&mut conn).await.unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        scans.extend(unused(statement, &plan));
        let scanned = plan.iter().filter(|line| line.contains("Seq Scan on "));
        for line in scanned {
            if !line.contains("Seq Scan on pg_") && !begins(statement, &WHOLE) {
                let text = plain(&statement.sql);
                scans.push(format!("{}: {line}: {text}: {plan:#?}", statement.file));
            }
        }
        if !begins(statement, &WHOLE) && !begins(statement, &OPEN) {
            scans.extend(read_whole(statement, &plan));
        }
    }
    scans
}

/// Indexes of steps, of which there are many here, that are read from end to end.
fn read_whole(statement: &Statement, plan: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    for (at, line) in plan.iter().enumerate() {
        let next = plan.get(at + 1).map_or("", |next| next.trim_start());
        let sought = next.starts_with("Index Cond:");
        let small = SMALL.iter().any(|index| line.contains(index));
        if line.contains("Index") && line.contains(" on steps") && !sought && !small {
            let text = plain(&statement.sql);
            found.push(format!("{}: {line}: {text}: {plan:#?}", statement.file));
        }
    }
    found
}

/// What is asked of the list of tasks, as it is put together.
fn lists() -> impl Iterator<Item = Statement> {
    let list = |criteria: &&str| Statement {
        file: "verbs/tasks.rs".to_owned(),
        sql: format!("SELECT * FROM tasks WHERE TRUE{criteria}"),
    };
    [
        " AND status = $1 ORDER BY created, id",
        " AND action = $1 ORDER BY created, id LIMIT $2",
        " AND lower(substr(design_ref, 1, 64)) = lower($1) AND design_ref = $2 ORDER BY created, id",
        " AND created >= $1 ORDER BY created, id",
        " AND (created, id) <= (SELECT f.created, f.id FROM tasks f WHERE f.id = $1) ORDER BY created DESC, id DESC LIMIT $2",
    ]
    .iter()
    .map(list)
    .collect::<Vec<_>>()
    .into_iter()
}

/// The one statement that is put together from parts by what it is asked for: in every combination.
async fn every_combination_of_criteria_is_understood(place: Place) {
    let store = place.open().await;
    let task = store.create_task(&new_task(0)).await.unwrap();
    for bits in 0..128_u32 {
        let has = |bit: u32| bits & (1 << bit) != 0;
        let query = TaskQuery {
            status: has(0).then_some(TaskStatus::Queued),
            action: has(1).then_some(TaskAction::Noop),
            design_ref: has(2).then(|| task.design_ref.clone()),
            created_after: has(3).then_some(task.created),
            newest_first: has(4),
            from: has(5).then_some(task.id),
            limit: has(6).then_some(10),
        };
        let trees = store.trees(&query).await.unwrap();
        let ids: Vec<TaskId> = trees.iter().map(|tree| tree.task.id).collect();
        assert_eq!(ids, [task.id], "{query:?}");
    }
}

#[tokio::test]
async fn sqlite_understands() {
    place::on_sqlite(every_statement_is_understood_by_sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn postgres_understands() {
    place::on_postgres(every_statement_is_understood_by_postgres).await;
}

#[tokio::test]
async fn sqlite_plans() {
    place::on_sqlite(no_statement_scans_a_sqlite_table).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn postgres_plans() {
    place::on_postgres(no_statement_scans_a_postgres_table).await;
}

#[tokio::test]
async fn sqlite_lists() {
    place::on_sqlite(every_combination_of_criteria_is_understood).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn postgres_lists() {
    place::on_postgres(every_combination_of_criteria_is_understood).await;
}
