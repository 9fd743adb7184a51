//! How results are printed.

use anyhow::{Result, anyhow};
use comfy_table::{ContentArrangement, LineStyle, Table, TableStyle};
use serde_json::Value;

use crate::args::Output;

/// A line under the headings and nothing else: it reads well and greps well.
const STYLE: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

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
        Output::Table => println!("{}", people(value)),
        Output::Json => println!("{}", serde_json::to_string_pretty(value)?),
        Output::Yaml => print!(
            "{}",
            drydock_ingester::to_yaml(value).map_err(|error| anyhow!(error))?
        ),
    }
    Ok(())
}

/// Text of a field, empty when there is none.
pub fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
