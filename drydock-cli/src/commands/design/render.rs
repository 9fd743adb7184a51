//! `drydock design render`

use anyhow::{Result, anyhow};
use drydock_ingester::to_stream;

use crate::args::Stream;
use crate::exit::{Exit, Failure};
use crate::print;
use crate::source::{self, Named};

/// Renders the folders of a tree, and prints the documents of Drydock that they come to.
pub(super) async fn run(names: &[String], format: Stream) -> Result<Exit> {
    let sources = match source::open_all(names).await? {
        Named::Local(sources) => sources,
        Named::Uploaded(id) => {
            return Err(Failure::error(
                Exit::Usage,
                format!(
                    "design:{id} is on the server, which holds designs that are rendered already; drydock design show prints it"
                ),
            ));
        }
    };
    let documents = source::render(&sources)?;
    match format {
        Stream::Yaml => {
            let text = to_stream(&documents)
                .map_err(|error| anyhow!("the rendered design cannot be written: {error}"))?;
            print::out(&text)?;
        }
        Stream::Json => print::line(&serde_json::to_string_pretty(&documents)?)?,
    }
    Ok(Exit::Done)
}
