//! `drydock sim DESIGN`: the simulated world alone.

use anyhow::{Context, Result};
use tokio::signal::unix::{SignalKind, signal};

use crate::args::SimArgs;
use crate::exit::Exit;
use crate::{rehearsal, source, telemetry};

/// Runs the simulators until SIGTERM or SIGINT.
pub async fn run(args: &SimArgs) -> Result<Exit> {
    telemetry::start(
        &crate::settings::Log {
            level: "warn".into(),
            ..Default::default()
        },
        None,
    )?;
    let design = rehearsal::design(&source::read_paths(&args.design)?)?;
    for line in rehearsal::not_simulated(&design) {
        eprintln!("{line}");
    }
    let world = rehearsal::world(
        &design,
        args.time_scale,
        rehearsal::faults(args.faults.as_deref())?,
    )
    .await?;
    world
        .set_callback_url(&format!("{}/api/v1.0", args.callback.trim_end_matches('/')))
        .context("--callback")?;
    let settings = rehearsal::settings(&world, &design, args.time_scale);
    let file = rehearsal::as_file(&settings, &world)?;
    print!("{file}");
    println!(
        "# log of all calls: curl http://{}/_sim/log?since=0",
        world.stand_in_addr()
    );
    if let Some(path) = &args.write_config {
        // In one step, so that whoever waits for the file never reads half of it.
        let partial = path.with_extension("partial");
        std::fs::write(&partial, &file)
            .and_then(|()| std::fs::rename(&partial, path))
            .with_context(|| format!("{} cannot be written", path.display()))?;
    }
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    world.stop().await;
    Ok(Exit::Done)
}
