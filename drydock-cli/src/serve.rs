//! `drydock serve`

use anyhow::{Context, Result};
use tokio::signal::unix::{SignalKind, signal};
use tracing::info;

use crate::args::ServeArgs;
use crate::compose::Server;
use crate::exit::Exit;
use crate::settings::{Overlay, load};
use crate::telemetry;

/// Runs a server until SIGTERM or SIGINT, or until a part of it ends by itself.
pub async fn run(args: &ServeArgs) -> Result<Exit> {
    let overlays = args
        .set
        .iter()
        .map(|text| Overlay::from_argument(text))
        .collect::<Result<Vec<_>>>()?;
    let settings = load(args.config.as_deref(), &overlays)?;
    telemetry::start(&settings.log, None)?;
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be listened to")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT cannot be listened to")?;
    let mut server = Server::start(&settings).await?;
    // Scripts wait for this line.
    println!("drydock listens on http://{}", server.address);
    tokio::select! {
        _ = terminate.recv() => info!("SIGTERM"),
        _ = interrupt.recv() => info!("SIGINT"),
        ended = server.ended() => {
            let _ = server.stop().await;
            ended?;
            anyhow::bail!("a part of the server ended by itself; the log says which");
        }
    }
    server.stop().await?;
    Ok(Exit::Done)
}
