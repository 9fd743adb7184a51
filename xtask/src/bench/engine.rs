//! `cargo xtask bench engine`: how many steps an engine gets done when nothing outside keeps it waiting.
//!
//! A whole `deploy_nodes` on drivers that do their work at once: four steps of one change each on every node, and the step that
//! finds no boot action to wait for. Every intent is committed before its change is made and every outcome after it, in a database that flushes
//! each commit to the disk; at the end the journal is counted. The measured time is that from the first claim to the last end, by the
//! store's clock.

mod driver;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use drydock_ingester::DesignIngester;
use drydock_model::clock::Clock;
use drydock_model::filter::NodeFilter;
use drydock_model::id::{DesignId, IdSource, TaskId};
use drydock_model::ingest::{Format, Source};
use drydock_model::step::StepStatus;
use drydock_model::store::{Store, TaskQuery, TaskTree};
use drydock_model::task::{NewTask, TaskAction, TaskStatus};
use drydock_orchestrator::designs::Designs;
use drydock_orchestrator::drivers::DriverSet;
use drydock_orchestrator::engine::{Engine, Parts};
use drydock_orchestrator::settings::EngineSettings;
use drydock_orchestrator::system::{RandomIds, SystemClock};
use drydock_reference::{Fetcher, ReferenceSettings};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use self::driver::Instant as InstantDriver;
use super::{Arguments, BackEnd, by_release_build, peak_rss_mb, rounded, site};
use crate::postgres::Cluster;
use crate::repository::Repository;

/// Changes that are made on each node.
const CHANGES: usize = 4;

/// Longest wait for a task.
const PATIENCE: Duration = Duration::from_secs(3600);

/// How often to look whether a task has ended.
const LOOK: Duration = Duration::from_millis(50);

/// Measures, or has the release build measure.
///
/// # Errors
/// The release build cannot be made, the database does not come up, or the deployment fails.
pub(super) fn run(repository: &Repository, arguments: &Arguments) -> Result<Value> {
    if cfg!(debug_assertions) {
        let nodes = arguments.nodes.to_string();
        let store = arguments.store.as_str();
        return by_release_build(repository, &["engine", "--nodes", &nodes, "--store", store]);
    }
    let runtime = tokio::runtime::Runtime::new().context("no runtime")?;
    match arguments.store {
        BackEnd::Sqlite => {
            let folder =
                tempfile::tempdir_in(repository.target()).context("no folder for the database")?;
            let url = format!("sqlite://{}", folder.path().join("bench.db").display());
            let mut result = runtime.block_on(measure(&url, arguments.nodes))?;
            result["durability"] = json!("journal_mode=WAL synchronous=FULL");
            Ok(result)
        }
        BackEnd::Postgres => {
            let cluster = Cluster::start_durable()?;
            let commits = || {
                cluster.ask(
                    "SELECT pg_stat_force_next_flush(); SELECT xact_commit FROM pg_stat_database WHERE datname = 'postgres'",
                )
            };
            let before = commits()?;
            let mut result = runtime.block_on(measure(&cluster.url(), arguments.nodes))?;
            result["server_transactions"] = json!(number(&commits()?)? - number(&before)?);
            let durability = cluster.ask(
                "SELECT string_agg(name || '=' || setting, ' ' ORDER BY name) FROM pg_settings
                 WHERE name IN ('fsync', 'synchronous_commit', 'full_page_writes', 'wal_sync_method')",
            )?;
            result["durability"] = json!(durability.trim());
            Ok(result)
        }
    }
}

fn number(printed: &str) -> Result<i64> {
    let line = printed.lines().last().unwrap_or_default().trim();
    line.parse()
        .with_context(|| format!("{line:?} is no number"))
}

async fn measure(url: &str, nodes: u32) -> Result<Value> {
    let clock = Arc::new(SystemClock::new());
    let options = drydock_statemgmt::Options {
        pool_size: 15,
        connect_timeout: Duration::from_secs(30),
        clock: Arc::clone(&clock) as Arc<dyn Clock>,
    };
    let store = drydock_statemgmt::open(url, options).await?;
    let design_ref = upload(&*store, nodes).await?;
    let driver = Arc::new(InstantDriver::default());
    let references = Arc::new(Fetcher::new(ReferenceSettings::default())?);
    let engine = Engine::new(Parts {
        store: Arc::clone(&store),
        designs: Arc::new(Designs::new(
            Arc::clone(&store),
            Arc::new(DesignIngester::default()),
            references,
        )),
        drivers: Arc::new(DriverSet {
            oob: Vec::new(),
            node: Some(Arc::clone(&driver) as _),
            network: None,
        }),
        clock,
        ids: Arc::new(RandomIds),
        settings: EngineSettings::default(),
    });
    let stop = CancellationToken::new();
    let running = tokio::spawn({
        let stop = stop.clone();
        async move { engine.run(stop).await }
    });
    // The first task finds an engine that has just come up and a design that nobody has read yet; that is not what is measured.
    let first = [node_name(0)];
    deploy(&*store, &design_ref, Some(&first)).await?;
    let begun = first_step_ms(&deploy(&*store, &design_ref, Some(&first)).await?.tree)?;
    eprintln!("first step {begun:.1} ms after its task was queued");
    let wall = Instant::now();
    let before = drydock_statemgmt::commits();
    let Deployed { tree, rss_mb } = deploy(&*store, &design_ref, None).await?;
    let commits = drydock_statemgmt::commits() - before;
    let wall = wall.elapsed().as_secs_f64();
    let entries = store.task_journal(tree.task.id).await?.len();
    stop.cancel();
    running.await.context("the engine fell over")??;
    // The node of the first two tasks is as designed already.
    let wanted = (nodes as usize - 1) * CHANGES;
    ensure!(
        // A process that the machine kept from its heartbeat begins some steps anew, with new intents.
        entries >= wanted && driver.made() == nodes as usize * CHANGES,
        "the journal has {entries} entries, {} changes were made; there should be {wanted}",
        driver.made()
    );
    report(
        &tree,
        nodes,
        &Measured {
            begun,
            wall,
            commits,
            entries,
            rss_mb,
        },
    )
}

struct Measured {
    begun: f64,
    wall: f64,
    commits: u64,
    entries: usize,
    rss_mb: f64,
}

fn report(tree: &TaskTree, nodes: u32, measured: &Measured) -> Result<Value> {
    let (mut first, mut last) = (None, None);
    let mut took = Vec::with_capacity(tree.steps.len());
    for step in &tree.steps {
        let (Some(started), Some(ended)) = (step.started, step.ended) else {
            bail!("{} was not executed", step.action);
        };
        first = Some(first.map_or(started, |first: chrono::DateTime<_>| first.min(started)));
        last = Some(last.map_or(ended, |last: chrono::DateTime<_>| last.max(ended)));
        let spent = (ended - started).num_microseconds().unwrap_or(i64::MAX);
        #[allow(clippy::cast_precision_loss)]
        took.push(spent as f64 / 1000.0);
    }
    let (Some(first), Some(last)) = (first, last) else {
        bail!("the task had no steps");
    };
    let seconds = (last - first).as_seconds_f64();
    took.sort_by(f64::total_cmp);
    let steps = took.len();
    #[allow(clippy::cast_precision_loss)]
    let steps_per_s = steps as f64 / seconds;
    Ok(json!({
        "benchmark": "engine",
        "nodes": nodes,
        "steps": steps,
        "seconds": rounded(seconds),
        "wall_seconds": rounded(measured.wall),
        "steps_per_s": rounded(steps_per_s),
        "nodes_per_min": rounded(f64::from(nodes) / seconds * 60.0),
        "step_p50_ms": rounded(took[steps / 2]),
        "step_p99_ms": rounded(took[steps * 99 / 100]),
        "first_step_ms": rounded(measured.begun),
        "commits": measured.commits,
        "journal": measured.entries,
        "journal_repeated": measured.entries - (nodes as usize - 1) * CHANGES,
        "rss_mb": measured.rss_mb,
        "rss_with_result_mb": peak_rss_mb()?,
    }))
}

/// From the making of a task to the first claim of a step of it.
fn first_step_ms(tree: &TaskTree) -> Result<f64> {
    let started = tree.steps.iter().filter_map(|step| step.started).min();
    let started = started.context("no step was begun")?;
    Ok((started - tree.task.created).as_seconds_f64() * 1000.0)
}

/// A task that has ended.
struct Deployed {
    tree: TaskTree,
    /// The most memory that this process ever held until the task's last step ended, before anybody read what came of it.
    rss_mb: f64,
}

async fn deploy(store: &dyn Store, design_ref: &str, only: Option<&[String]>) -> Result<Deployed> {
    let id = TaskId(RandomIds.uuid());
    let task = NewTask {
        id,
        action: TaskAction::DeployNodes,
        design_ref: design_ref.to_owned(),
        node_filter: only.map(|names| NodeFilter::names(names.iter().map(String::as_str))),
        priority: 0,
        dry_run: false,
        strategy: None,
        oob: None,
        plan: None,
        retry: 0,
        created_by: "bench".into(),
        context_marker: None,
        idempotency_key: None,
        created: chrono::Utc::now(),
    };
    store.create_task(&task).await?;
    let begin = Instant::now();
    loop {
        // A list of the task alone costs nothing as long as it has not ended; the tree costs as much as a claim.
        let ended = TaskQuery {
            status: Some(TaskStatus::Complete),
            from: Some(id),
            limit: Some(1),
            ..TaskQuery::default()
        };
        let rss_mb = peak_rss_mb()?;
        let trees = store.trees(&ended).await?;
        if let Some(tree) = trees.into_iter().find(|tree| tree.task.id == id) {
            let failed = tree
                .steps
                .iter()
                .find(|step| step.status != StepStatus::Done);
            ensure!(failed.is_none(), "a step did not come through: {failed:?}");
            return Ok(Deployed { tree, rss_mb });
        }
        ensure!(begin.elapsed() < PATIENCE, "the deployment does not end");
        // Only how often to look.
        tokio::time::sleep(LOOK).await;
    }
}

async fn upload(store: &dyn Store, nodes: u32) -> Result<String> {
    let id = DesignId(RandomIds.uuid());
    let design = store.create_design(id, None).await?;
    let source = Source {
        name: "generated".into(),
        format: Format::Auto,
        text: machines(nodes),
        without: Vec::new(),
    };
    store
        .replace_sources(id, design.revision, &[source])
        .await?;
    Ok(format!("design:{id}"))
}

fn node_name(number: u32) -> String {
    format!("node-{number:05}")
}

/// A site without boot actions, whose machines would call back.
fn machines(nodes: u32) -> String {
    site::bare((0..nodes).map(|number| {
        let [_, high, middle, low] = (256 + number).to_be_bytes();
        (
            node_name(number),
            Ipv4Addr::new(127, 64 + high, middle, low),
        )
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_deployment_is_measured_to_its_last_change() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("test.db").display());
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let result = runtime.block_on(measure(&url, 5)).unwrap();
        assert_eq!(result["journal"], 16, "{result}");
        assert_eq!(result["steps"], 25, "{result}");
        assert!(result["commits"].as_u64().unwrap() > 0, "{result}");
    }
}
