//! `drydock design diff`

use anyhow::{Context, Result};
use drydock_design::diff::{Snapshot, diff};
use serde_json::json;

use super::{Taken, take};
use crate::args::Output;
use crate::client::Client;
use crate::exit::{self, Exit, Failure};
use crate::{print, source};

/// Compares two designs. Ends with [`Exit::Done`] when they mean the same and with [`Exit::Failed`] when they differ, as diff(1) does; never with the
/// latter when one of them could not be read.
pub(super) async fn run(
    client: &Client,
    before: &str,
    after: &str,
    output: Output,
) -> Result<Exit> {
    if before == "-" && after == "-" {
        return Err(Failure::error(
            Exit::Usage,
            "both designs are standard input, which can be read once; name a file for one of them",
        ));
    }
    let difference = diff(
        &snapshot(client, before).await?,
        &snapshot(client, after).await?,
    );
    print::value(output, &json!(difference), |_| difference.to_string())?;
    Ok(if difference.is_empty() {
        Exit::Done
    } else {
        Exit::Failed
    })
}

async fn snapshot(client: &Client, name: &str) -> Result<Snapshot> {
    let taken = take(client, name).await.and_then(|taken| {
        let snapshot = match taken {
            Taken::Told(design) => Snapshot::from_json(design),
            Taken::Compiled(design) => Snapshot::of(&design),
        };
        snapshot.with_context(|| format!("{} cannot be compared", source::without_secrets(name)))
    });
    taken.map_err(|error| match exit::of(&error) {
        Exit::Failed => Failure::error(Exit::Usage, format!("{error:#}")),
        _ => error,
    })
}
