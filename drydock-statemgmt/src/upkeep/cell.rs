//! A value on its way between back ends, and the one text that both give it.

use std::cmp::Ordering;
use std::fmt::Write as _;

use chrono::{DateTime, SecondsFormat, Utc};
use drydock_model::store::StoreError;
use serde_json::Value;
use uuid::Uuid;

use crate::fault::Fault;
use crate::upkeep::registry::{Kind, Table};

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell {
    /// Nothing, in a column of any kind.
    Null,
    /// [`Kind::Bool`].
    Bool(bool),
    /// [`Kind::Int`] and [`Kind::Long`].
    Number(i64),
    /// [`Kind::Float`].
    Float(f64),
    /// [`Kind::Text`] and [`Kind::Json`].
    Text(String),
    /// [`Kind::Time`].
    Time(DateTime<Utc>),
    /// [`Kind::Id`].
    Id(Uuid),
    /// [`Kind::Bytes`].
    Bytes(Vec<u8>),
}

impl Cell {
    /// About how many bytes it takes.
    pub(crate) fn size(&self) -> usize {
        match self {
            Cell::Text(text) => text.len(),
            Cell::Bytes(bytes) => bytes.len(),
            _ => 16,
        }
    }

    /// The text of a digest: JSON with sorted members, times in UTC with six fractional digits, bytes in hexadecimal.
    pub(crate) fn canonical(&self, kind: Kind) -> Value {
        match self {
            Cell::Null => Value::Null,
            Cell::Bool(value) => (*value).into(),
            Cell::Number(value) => (*value).into(),
            Cell::Float(value) => (*value).into(),
            Cell::Text(text) if kind == Kind::Json => match serde_json::from_str(text) {
                Ok(value) => sorted(value),
                Err(_) => text.clone().into(),
            },
            Cell::Text(text) => text.clone().into(),
            Cell::Time(at) => at.to_rfc3339_opts(SecondsFormat::Micros, true).into(),
            Cell::Id(id) => id.to_string().into(),
            Cell::Bytes(bytes) => hexadecimal(bytes).into(),
        }
    }

    /// A value of a key from its canonical text.
    fn from_canonical(kind: Kind, value: &Value) -> Option<Cell> {
        match (kind, value) {
            (Kind::Int | Kind::Long, Value::Number(number)) => number.as_i64().map(Cell::Number),
            (Kind::Id, Value::String(text)) => text.parse().ok().map(Cell::Id),
            (Kind::Text, Value::String(text)) => Some(Cell::Text(text.clone())),
            _ => None,
        }
    }
}

/// With the members of all its objects in the order of their names.
fn sorted(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(sorted).collect(),
        Value::Object(members) => {
            let mut members: Vec<_> = members.into_iter().collect();
            members.sort_by(|a, b| a.0.cmp(&b.0));
            let members = members.into_iter();
            members.map(|(name, value)| (name, sorted(value))).collect()
        }
        other => other,
    }
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// A row, in the order of its table's columns.
pub(crate) type Cells = Vec<Cell>;

/// The text of a row.
pub(crate) fn canonical(table: &Table, row: &[Cell]) -> String {
    let columns = row.iter().zip(table.columns);
    let values: Value = columns
        .map(|(cell, (_, kind))| cell.canonical(*kind))
        .collect();
    values.to_string()
}

/// The text of a row's key.
pub(crate) fn key_text(table: &Table, row: &[Cell]) -> String {
    let key = row.iter().zip(table.key_kinds());
    let values: Value = key.map(|(cell, kind)| cell.canonical(kind)).collect();
    values.to_string()
}

/// A key from its text.
pub(crate) fn key_from(table: &Table, text: &str) -> Result<Cells, Fault> {
    let nonsense = || {
        StoreError::Internal(format!(
            "the progress of the copy of {} is written as {text:?}, which is no key of it",
            table.name
        ))
    };
    let values: Vec<Value> = serde_json::from_str(text).map_err(|_| nonsense())?;
    let cells: Option<Cells> = table
        .key_kinds()
        .zip(&values)
        .map(|(kind, value)| Cell::from_canonical(kind, value))
        .collect();
    match cells {
        Some(cells) if cells.len() == table.key && values.len() == table.key => Ok(cells),
        _ => Err(nonsense().into()),
    }
}

/// The order in which both back ends give the rows of a table.
pub(crate) fn by_key(table: &Table, a: &[Cell], b: &[Cell]) -> Ordering {
    let pairs = a.iter().zip(b).take(table.key);
    pairs
        .map(|pair| match pair {
            (Cell::Number(a), Cell::Number(b)) => a.cmp(b),
            (Cell::Id(a), Cell::Id(b)) => a.as_bytes().cmp(b.as_bytes()),
            (Cell::Text(a), Cell::Text(b)) => a.as_bytes().cmp(b.as_bytes()),
            _ => Ordering::Equal,
        })
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

/// What keeps a row out of a table of the other back end, if anything does.
pub(crate) fn unfit(table: &Table, row: &[Cell], nul_is_refused: bool) -> Option<String> {
    let columns = row.iter().zip(table.columns);
    for (cell, (name, kind)) in columns {
        let why = match (cell, kind) {
            (Cell::Text(text), _) if nul_is_refused && text.contains('\0') => {
                "holds U+0000, which a text in PostgreSQL cannot"
            }
            (Cell::Number(number), Kind::Int) if i32::try_from(*number).is_err() => {
                "is a number of more than 32 bits"
            }
            _ => continue,
        };
        let key = key_text(table, row);
        return Some(format!("{}.{name} of the row {key} {why}", table.name));
    }
    None
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::upkeep::registry::TABLES;

    fn table(name: &str) -> &'static Table {
        TABLES.iter().find(|table| table.name == name).unwrap()
    }

    #[test]
    fn a_row_has_one_text_whatever_its_json_looked_like() {
        let id = Uuid::from_u128(7);
        let row = |json: &str| vec![Cell::Id(id), Cell::Number(1), Cell::Text(json.to_owned())];
        let text =
            r#"["00000000-0000-0000-0000-000000000007",1,{"a":[{"x":null,"y":"\u0000"}],"b":1.5}]"#;
        for json in [
            r#"{"b": 1.5, "a": [{"y": "\u0000", "x": null}]}"#,
            r#"{"a":[{"x":null,"y":"\u0000"}],"b":1.5}"#,
        ] {
            assert_eq!(canonical(table("design_sources"), &row(json)), text);
        }
    }

    #[test]
    fn times_and_bytes_are_written_in_full() {
        let at = DateTime::UNIX_EPOCH + TimeDelta::microseconds(5);
        let time = Cell::Time(at).canonical(Kind::Time);
        assert_eq!(time, "1970-01-01T00:00:00.000005Z");
        assert_eq!(Cell::Bytes(vec![0, 255]).canonical(Kind::Bytes), "00ff");
    }

    #[test]
    fn a_key_comes_back_from_its_text_and_nonsense_does_not() {
        let cells = vec![Cell::Id(Uuid::from_u128(9)), Cell::Number(-3)];
        let sources = table("design_sources");
        let text = key_text(sources, &cells);
        assert_eq!(key_from(sources, &text).unwrap(), cells);
        for nonsense in ["", "[]", "[1,2]", r#"["x",1]"#] {
            assert!(key_from(sources, nonsense).is_err(), "{nonsense}");
        }
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let row = vec![
            Cell::Text("n\0".to_owned()),
            Cell::Text("n1".to_owned()),
            Cell::Number(1 << 40),
        ];
        let entries = table("boot_entries");
        let why = unfit(entries, &row, true).unwrap();
        assert!(
            why.starts_with("boot_entries.action_id of the row"),
            "{why}"
        );
        let why = unfit(entries, &row, false).unwrap();
        assert!(why.contains("boot_entries.ordinal") && why.contains("32 bits"));
    }
}
