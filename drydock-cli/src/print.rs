//! How results are printed.

use std::io::{ErrorKind, Write as _};

use anyhow::{Result, anyhow};
use comfy_table::{ContentArrangement, LineStyle, Table, TableStyle};
use serde_json::Value;

use crate::args::Output;

/// A line under the headings and nothing else: it reads well and greps well.
const STYLE: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// As a shell tells of a program that ended by SIGPIPE.
const BROKEN_PIPE: i32 = 128 + 13;

/// A table with these headings, as wide as the terminal.
pub fn table(headings: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(STYLE)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(headings.to_vec());
    table
}

/// Prints a value as JSON or YAML, or by `people` as text.
///
/// # Errors
/// When it cannot be written.
pub fn value(output: Output, value: &Value, people: impl FnOnce(&Value) -> String) -> Result<()> {
    match output {
        Output::Table => line(&people(value)),
        Output::Json => line(&serde_json::to_string_pretty(value)?),
        Output::Yaml => out(&drydock_ingester::to_yaml(value).map_err(|error| anyhow!(error))?),
    }
}

/// Prints a text with a line's end.
///
/// # Errors
/// When it cannot be written.
pub fn line(text: &str) -> Result<()> {
    out(&format!("{text}\n"))
}

/// Prints a text as it is. When nobody reads on, as in `| head`, the program ends as others do.
///
/// # Errors
/// When it cannot be written.
pub fn out(text: &str) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(BROKEN_PIPE),
        written => Ok(written?),
    }
}

/// Text of a field, empty when there is none.
pub fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
