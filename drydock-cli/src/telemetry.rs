//! Log lines: to standard error, so that standard output is the command's own.

use anyhow::{Context, Result};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;

use crate::settings::{Log, LogFormat};

/// What libraries say of their own start and stop is below what an operator asks for with `info`; `log.level` can name them again.
const QUIET: &str = "actix_server=warn";

/// Starts logging. `file`: there instead of standard error.
///
/// # Errors
/// When the level makes no sense or the file cannot be made.
pub fn start(log: &Log, file: Option<&std::path::Path>) -> Result<()> {
    let filter = EnvFilter::try_new(format!("{QUIET},{}", log.level))
        .with_context(|| format!("log.level {:?} is no level and no filter", log.level))?;
    let writer = match file {
        None => BoxMakeWriter::new(std::io::stderr),
        Some(path) => {
            let file = std::fs::File::create(path)
                .with_context(|| format!("the log file {} cannot be made", path.display()))?;
            BoxMakeWriter::new(std::sync::Mutex::new(file))
        }
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .with_ansi(false);
    match log.format {
        LogFormat::Text => builder.init(),
        LogFormat::Json => builder.json().init(),
    }
    Ok(())
}
