//! `drydock demo [DESIGN]`: a whole site, simulated, deployed through a server by its HTTP API.

mod course;
mod view;

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use drydock_model::effective::EffectiveDesign;
use drydock_model::ingest::{Format, Source};
use drydock_model::store::TaskQuery;
use drydock_orchestrator::system::SystemClock;
use serde_json::json;

use crate::args::DemoArgs;
use crate::client::Client;
use crate::commands::design::upload;
use crate::compose::{Server, open_store};
use crate::demo::course::{Course, Fate};
use crate::demo::view::View;
use crate::exit::Exit;
use crate::settings::{Log, Overlay, Settings};
use crate::{print, rehearsal, source, telemetry};

/// The example that comes with the program.
const EXAMPLE: &str = include_str!("../../examples/lab.yaml");

/// Runs it. With `--json` the last line is JSON whatever happens.
pub async fn run(args: &DemoArgs) -> Result<Exit> {
    let result = rehearse(args).await;
    if let (Err(error), true) = (&result, args.json) {
        println!(
            "{}",
            json!({ "nodes": 0, "deployed": 0, "failed": 0, "seconds": 0.0, "changes": 0, "error": format!("{error:#}") })
        );
    }
    result
}

async fn rehearse(args: &DemoArgs) -> Result<Exit> {
    let started = Instant::now();
    let sources = match args.design.as_slice() {
        [_, ..] => source::read_paths(&args.design)?,
        [] => vec![Source {
            name: "examples/lab.yaml".into(),
            format: Format::Auto,
            text: EXAMPLE.to_owned(),
            without: Vec::new(),
        }],
    };
    let design = rehearsal::design(&sources)?;
    let folder = tempfile::tempdir().context("no temporary folder can be made")?;
    let log_file = args
        .log
        .clone()
        .unwrap_or_else(|| folder.path().join("drydock.log"));
    telemetry::start(&Log::default(), Some(&log_file))?;
    let world = rehearsal::world(
        &design,
        args.time_scale,
        rehearsal::faults(args.faults.as_deref())?,
    )
    .await?;
    let settings = settings(args, &world, &design, folder.path())?;
    if args.database.is_some() {
        refuse_if_used(&settings).await?;
    }
    let server = Server::start(&settings).await?;
    world.set_callback_url(&format!("http://{}/api/v1.0", server.address))?;
    if !args.json {
        println!(
            "{} node(s) of {}; BMCs on their own loopback addresses, port {}; MaaS at {}; server at http://{}; time scale {}",
            design.nodes.len(),
            sources
                .iter()
                .map(|source| source.name.to_string())
                .collect::<Vec<_>>()
                .join(", "),
            world.bmc_port(),
            world.maas_url(),
            server.address,
            args.time_scale
        );
        for line in rehearsal::not_simulated(&design) {
            println!("{line}");
        }
    }
    let client = Client::new(&format!("http://{}", server.address))?;
    let names: Vec<String> = design.nodes.iter().map(|node| node.name.clone()).collect();
    let result = async {
        let design_ref = format!("design:{}", upload(&client, &sources).await?);
        Course::new(&client, design_ref, &names, View::new(&names, !args.json))
            .run()
            .await
    };
    let course = tokio::select! {
        course = result => course,
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
    };
    let stopped = server.stop().await;
    world.stop().await;
    let outcome = course?;
    stopped?;
    let seconds = started.elapsed().as_secs_f64();
    let deployed = outcome
        .nodes
        .iter()
        .filter(|node| node.fate == Fate::Deployed)
        .count();
    let failed = design.nodes.len() - deployed;
    let good = failed == 0 && outcome.site_ok;
    if args.json {
        let line = json!({
            "nodes": design.nodes.len(),
            "deployed": deployed,
            "failed": failed,
            "seconds": (seconds * 1000.0).round() / 1000.0,
            "changes": outcome.changes,
        });
        if !good {
            report(&outcome.problems);
        }
        println!("{line}");
    } else {
        println!("{}", summary(&design, &outcome));
        println!(
            "{deployed} of {} deployed in {seconds:.1} s, {} changes made",
            design.nodes.len(),
            outcome.changes
        );
        if !good {
            report(&outcome.problems);
            if args.log.is_none() {
                keep_log(&log_file);
            }
        }
    }
    Ok(if good { Exit::Done } else { Exit::Failed })
}

fn settings(
    args: &DemoArgs,
    world: &drydock_sim::World,
    design: &EffectiveDesign,
    folder: &Path,
) -> Result<Settings> {
    let mut settings = rehearsal::settings(world, design, args.time_scale);
    settings.api.listen.set_port(0);
    let temporary = || format!("sqlite://{}", folder.join("drydock.db").display());
    settings.database.url = args.database.clone().unwrap_or_else(temporary).into();
    let overlays = args
        .set
        .iter()
        .map(|text| Overlay::from_argument(text))
        .collect::<Result<Vec<_>>>()?;
    settings.overlaid(&overlays)
}

/// A demo's server would take every task of a real installation and run it against simulators.
async fn refuse_if_used(settings: &Settings) -> Result<()> {
    let clock = std::sync::Arc::new(SystemClock::new());
    let store = open_store(settings, clock).await?;
    let used =
        !store.designs().await?.is_empty() || !store.trees(&TaskQuery::default()).await?.is_empty();
    if used {
        bail!("--database holds designs or tasks already; a demo works on an empty database only");
    }
    Ok(())
}

fn report(problems: &[String]) {
    for problem in problems {
        eprintln!("{problem}");
    }
}

/// The temporary folder goes with the demo; after a failure its log is wanted.
fn keep_log(log_file: &Path) {
    let kept = std::env::temp_dir().join(format!("drydock-demo-{}.log", std::process::id()));
    match std::fs::copy(log_file, &kept) {
        Ok(_) => eprintln!("the server's log: {}", kept.display()),
        Err(error) => eprintln!("the server's log could not be kept: {error}"),
    }
}

fn summary(design: &EffectiveDesign, outcome: &course::Outcome) -> String {
    let mut table = print::table(&["node", "address", "image", "seconds", "result"]);
    for node in &design.nodes {
        let address = node
            .primary_network
            .as_deref()
            .and_then(|network| node.address_on(network));
        let result = outcome.nodes.iter().find(|result| result.name == node.name);
        table.add_row([
            node.name.clone(),
            address.map_or_else(|| "-".into(), |address| address.to_string()),
            node.platform
                .image
                .clone()
                .unwrap_or_else(|| "default".into()),
            result
                .and_then(|result| result.seconds)
                .map_or_else(|| "-".into(), |seconds| format!("{seconds:.1}")),
            result
                .map_or("unknown", |result| result.fate.word())
                .to_owned(),
        ]);
    }
    table.to_string()
}
