//! `drydock design graph`

use anyhow::Result;
use drydock_design::graph::{NoPicture, Topology, dot, svg};

use super::{Taken, take};
use crate::args::Picture;
use crate::client::Client;
use crate::exit::{Exit, Failure};
use crate::print;
use crate::source;

/// Draws a design, or one node of it, to standard output.
pub(super) async fn run(
    client: &Client,
    name: &str,
    format: Picture,
    node: Option<&str>,
) -> Result<Exit> {
    let topology = match take(client, name).await? {
        Taken::Told(design) => Topology::from_json(&design, node),
        Taken::Compiled(design) => Topology::of(&design, node),
    };
    let topology = topology.map_err(|error| {
        let exit = match error {
            NoPicture::NoNode(_) => Exit::NotFound,
            NoPicture::NotADesign(_) => Exit::Usage,
        };
        Failure::error(
            exit,
            format!("{} cannot be drawn: {error}", source::without_secrets(name)),
        )
    })?;
    print::out(&match format {
        Picture::Svg => svg(&topology),
        Picture::Dot => dot(&topology),
    })?;
    Ok(Exit::Done)
}
