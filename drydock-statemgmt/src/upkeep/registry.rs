//! Every table of the schema, column by column: what a copy takes along.
//!
//! A copy first compares this list with the real schema of both sides ([`differences`]), so that a table or column of a
//! later migration that is missing here fails each test that copies, and never gets lost in silence.

use std::collections::BTreeSet;

use crate::upkeep::BackEnd;

/// What a column holds, whatever a back end calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// True or false.
    Bool,
    /// A whole number of 32 bits.
    Int,
    /// A whole number of 64 bits.
    Long,
    /// A number.
    Float,
    /// Text as it is.
    Text,
    /// Text that is JSON.
    Json,
    /// A moment, in whole microseconds.
    Time,
    /// An id.
    Id,
    /// Bytes.
    Bytes,
}

impl Kind {
    /// Whether a column declared like this holds values of this kind.
    fn is_declared_as(self, back_end: BackEnd, declared: &str) -> bool {
        let wanted = match (back_end, self) {
            (_, Kind::Bool) => "boolean",
            (_, Kind::Int) | (BackEnd::Sqlite, Kind::Long) => "integer",
            (BackEnd::Postgres, Kind::Long) => "bigint",
            (BackEnd::Postgres, Kind::Float) => "double precision",
            (BackEnd::Sqlite, Kind::Float) => "real",
            (_, Kind::Text | Kind::Json) | (BackEnd::Sqlite, Kind::Time) => "text",
            (BackEnd::Postgres, Kind::Time) => "timestamp with time zone",
            (BackEnd::Postgres, Kind::Id) => "uuid",
            (BackEnd::Sqlite, Kind::Id | Kind::Bytes) => "blob",
            (BackEnd::Postgres, Kind::Bytes) => "bytea",
        };
        wanted.eq_ignore_ascii_case(declared)
    }
}

/// A table.
#[derive(Debug)]
pub(crate) struct Table {
    /// Its name.
    pub(crate) name: &'static str,
    /// Its columns.
    pub(crate) columns: &'static [(&'static str, Kind)],
    /// How many of the columns, from the first on, tell rows apart; rows are copied in their order.
    pub(crate) key: usize,
    /// Whether the first column is numbered by the database.
    pub(crate) numbered: bool,
    /// Which rows a fresh database has.
    pub(crate) fresh: Option<&'static str>,
}

impl Table {
    /// The kinds of the columns of its key.
    pub(crate) fn key_kinds(&self) -> impl Iterator<Item = Kind> {
        self.columns.iter().take(self.key).map(|(_, kind)| *kind)
    }
}

use Kind::{Bool, Bytes, Float, Id, Int, Json, Long, Text, Time};

/// All tables, each after those that it refers to.
pub(crate) static TABLES: &[Table] = &[
    Table {
        name: "designs",
        columns: &[
            ("seq", Long),
            ("id", Id),
            ("base", Id),
            ("revision", Long),
            ("created", Time),
        ],
        key: 1,
        numbered: true,
        fresh: None,
    },
    Table {
        name: "design_sources",
        columns: &[("design", Id), ("ordinal", Long), ("source", Json)],
        key: 2,
        numbered: false,
        fresh: None,
    },
    Table {
        name: "pins",
        columns: &[("digest", Text), ("sources", Json), ("created", Time)],
        key: 1,
        numbered: false,
        fresh: None,
    },
    Table {
        name: "tasks",
        columns: &[
            ("id", Id),
            ("action", Text),
            ("design_ref", Text),
            ("node_filter", Json),
            ("priority", Int),
            ("dry_run", Bool),
            ("created_by", Text),
            ("context_marker", Id),
            ("idempotency_key", Text),
            ("created", Time),
            ("updated", Time),
            ("terminated", Time),
            ("terminated_by", Text),
            ("terminate", Bool),
            ("retry", Int),
            ("status", Text),
            ("digest", Text),
            ("verdict", Text),
            ("messages", Json),
            ("strategy", Json),
            ("plan", Id),
            ("parameters", Json),
        ],
        key: 1,
        numbered: false,
        fresh: None,
    },
    Table {
        name: "steps",
        columns: &[
            ("id", Id),
            ("task", Id),
            ("pipeline", Id),
            ("stage", Int),
            ("pipeline_ordinal", Int),
            ("ordinal", Int),
            ("node", Text),
            ("action", Text),
            ("condition", Text),
            ("status", Text),
            ("attempt", Int),
            ("failures", Int),
            ("timeout_s", Float),
            ("deadline", Time),
            ("not_before", Time),
            ("waiting_for", Json),
            ("holder", Id),
            ("token", Id),
            ("poked", Bool),
            ("started", Time),
            ("updated", Time),
            ("ended", Time),
            ("messages", Json),
            ("facts", Json),
            ("told", Json),
        ],
        key: 1,
        numbered: false,
        fresh: None,
    },
    Table {
        name: "task_events",
        columns: &[
            ("task", Id),
            ("seq", Long),
            ("at", Time),
            ("step", Id),
            ("status", Text),
            ("attempt", Int),
            ("waiting_for", Json),
            ("said_from", Int),
            ("said_to", Int),
        ],
        key: 2,
        numbered: false,
        fresh: None,
    },
    Table {
        name: "instances",
        columns: &[("id", Id), ("beat", Time)],
        key: 1,
        numbered: false,
        fresh: None,
    },
    Table {
        name: "leadership",
        columns: &[
            ("hill", Int),
            ("instance", Id),
            ("epoch", Long),
            ("pinged", Time),
        ],
        key: 1,
        numbered: false,
        fresh: Some("epoch = 0"),
    },
    Table {
        name: "journal",
        columns: &[
            ("seq", Long),
            ("id", Id),
            ("task", Id),
            ("step", Id),
            ("node", Text),
            ("attempt", Int),
            ("instance", Id),
            ("epoch", Long),
            ("token", Id),
            ("change", Json),
            ("intended", Time),
            ("outcome", Text),
            ("evidence", Json),
            ("latency_ms", Long),
        ],
        key: 1,
        numbered: true,
        fresh: None,
    },
    Table {
        name: "boot_contexts",
        columns: &[
            ("node", Text),
            ("task", Id),
            ("digest", Text),
            ("design_ref", Text),
            ("key_hash", Bytes),
            ("created", Time),
        ],
        key: 1,
        numbered: false,
        fresh: None,
    },
    Table {
        name: "boot_entries",
        columns: &[
            ("action_id", Text),
            ("node", Text),
            ("ordinal", Int),
            ("name", Text),
            ("status", Text),
        ],
        key: 1,
        numbered: false,
        fresh: None,
    },
    Table {
        name: "build_data",
        columns: &[
            ("seq", Long),
            ("node", Text),
            ("generator", Text),
            ("task", Id),
            ("step", Id),
            ("collected", Time),
            ("data_format", Text),
            ("data_element", Json),
        ],
        key: 1,
        numbered: true,
        fresh: None,
    },
    Table {
        name: "operator_requests",
        columns: &[
            ("step", Id),
            ("request", Json),
            ("opened", Time),
            ("answer", Json),
            ("answered", Time),
        ],
        key: 1,
        numbered: false,
        fresh: None,
    },
];

/// What is in a database beside these tables, by design: the list of its migrations, and how far a copy into it has come.
pub(crate) const BESIDE: [&str; 2] = ["_sqlx_migrations", crate::upkeep::MARKER];

/// A column as the database declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Declared {
    /// Its table.
    pub(crate) table: String,
    /// Its name.
    pub(crate) column: String,
    /// Its type, in the back end's words.
    pub(crate) kind: String,
}

/// The tables that are there and not in the registry.
pub(crate) fn foreign(declared: &[Declared]) -> BTreeSet<&str> {
    let names = declared.iter().map(|column| column.table.as_str());
    let known = |name: &&str| TABLES.iter().any(|table| table.name == *name);
    names
        .filter(|name| !BESIDE.contains(name) && !known(name))
        .collect()
}

/// Where the registry and a real schema differ, one text each; none: every column of the database is taken along.
pub(crate) fn differences(back_end: BackEnd, declared: &[Declared]) -> Vec<String> {
    let mut found: Vec<String> = foreign(declared)
        .into_iter()
        .map(|name| format!("there is a table {name} that is not known"))
        .collect();
    for table in TABLES {
        for (name, kind) in table.columns {
            let real = declared
                .iter()
                .find(|real| real.table == table.name && real.column == *name);
            match real {
                None => found.push(format!("there is no column {}.{name}", table.name)),
                Some(real) if !kind.is_declared_as(back_end, &real.kind) => found.push(format!(
                    "column {}.{name} is a {}, not a {kind:?}",
                    table.name, real.kind
                )),
                Some(_) => {}
            }
        }
        let known = |column: &str| table.columns.iter().any(|(name, _)| *name == column);
        for real in declared {
            if real.table == table.name && !known(&real.column) {
                found.push(format!(
                    "there is a column {}.{} that is not known",
                    real.table, real.column
                ));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_registry_does_not_know_is_named() {
        let declared = |table: &str, column: &str, kind: &str| Declared {
            table: table.to_owned(),
            column: column.to_owned(),
            kind: kind.to_owned(),
        };
        let mut real = vec![
            declared("instances", "id", "uuid"),
            declared("instances", "beat", "text"),
            declared("instances", "mood", "text"),
            declared("_sqlx_migrations", "version", "bigint"),
            declared("strangers", "id", "uuid"),
        ];
        let mut found = differences(BackEnd::Postgres, &real);
        found.retain(|text| text.contains("instances") || text.contains("strangers"));
        assert_eq!(
            found,
            [
                "there is a table strangers that is not known",
                "column instances.beat is a text, not a Time",
                "there is a column instances.mood that is not known",
            ]
        );
        real.retain(|column| column.column != "beat");
        let found = differences(BackEnd::Postgres, &real);
        assert!(found.contains(&"there is no column instances.beat".to_owned()));
    }
}
