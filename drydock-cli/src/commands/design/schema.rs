//! `drydock design schema`

use anyhow::{Result, anyhow};
use drydock_ingester::to_yaml;
use drydock_model::design::{Kind, schema};

use crate::args::Stream;
use crate::exit::Exit;
use crate::print;

/// Prints the schema of documents of a kind, or of any.
pub(super) fn run(kind: Option<Kind>, format: Stream) -> Result<Exit> {
    let schema = kind.map_or_else(schema::all, schema::document);
    match format {
        Stream::Json => print::line(&serde_json::to_string_pretty(&schema)?)?,
        Stream::Yaml => {
            let text = to_yaml(&schema)
                .map_err(|error| anyhow!("the schema cannot be written: {error}"))?;
            print::out(&text)?;
        }
    }
    Ok(Exit::Done)
}
