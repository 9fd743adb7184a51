//! `drydock db`: the upkeep of the database, without a server.

use anyhow::Result;
use drydock_statemgmt::upkeep::{Copied, Migrated, Migration, Status};
use serde_json::{Value, json};

use crate::args::{DatabaseArgs, DbCommand};
use crate::compose::database;
use crate::exit::Exit;
use crate::print;
use crate::settings::{Overlay, Settings, load};

/// Runs it.
pub async fn run(command: DbCommand) -> Result<Exit> {
    match command {
        DbCommand::Status {
            database,
            digest,
            output,
        } => {
            let status = database::status(&settings(&database)?, digest).await?;
            print::value(output, &status_json(&status), |_| status_text(&status))?;
        }
        DbCommand::Migrate { database, output } => {
            let migrated = database::migrate(&settings(&database)?).await?;
            print::value(output, &migrated_json(&migrated), |_| {
                migrated_text(&migrated)
            })?;
        }
        DbCommand::Purge { database, days } => {
            let purged = database::purge(&settings(&database)?, days).await?;
            println!("deleted {purged} task(s) that ended more than {days} day(s) ago");
        }
        DbCommand::Copy {
            from,
            to,
            force,
            output,
        } => {
            let copied = database::copy(from, to, force).await?;
            print::value(output, &copied_json(&copied), |_| copied_text(&copied))?;
        }
    }
    Ok(Exit::Done)
}

fn settings(args: &DatabaseArgs) -> Result<Settings> {
    let overlays = args
        .set
        .iter()
        .map(|text| Overlay::from_argument(text))
        .collect::<Result<Vec<_>>>()?;
    load(args.config.as_deref(), &overlays)
}

fn migrations_json(migrations: &[Migration]) -> Value {
    let one = |one: &Migration| json!({ "version": one.version, "description": one.description });
    migrations.iter().map(one).collect()
}

/// Each as its number and name.
fn migrations_text(migrations: &[Migration]) -> String {
    let one = |one: &Migration| format!("{} ({})", one.version, one.description);
    migrations.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn status_json(status: &Status) -> Value {
    let tables: Vec<_> = status
        .tables
        .iter()
        .map(|table| {
            let mut shown = json!({ "name": table.name, "rows": table.rows });
            if let Some(digest) = &table.digest {
                shown["digest"] = digest.as_str().into();
            }
            shown
        })
        .collect();
    json!({
        "back_end": status.back_end.as_str(),
        "place": status.place,
        "server_version": status.server_version,
        "schema": status.schema,
        "known": status.known,
        "pending": migrations_json(&status.pending),
        "unknown": status.unknown,
        "copy_unfinished": status.copy_unfinished,
        "size_bytes": status.size,
        "tables": tables,
    })
}

fn status_text(status: &Status) -> String {
    let schema = match status.schema {
        None => "none yet".to_owned(),
        Some(version) => format!("version {version}"),
    };
    let mut lines = vec![
        format!("{} {}", status.back_end, status.server_version),
        status.place.clone(),
        format!(
            "schema: {schema}; this program brings about version {}",
            status.known
        ),
    ];
    if !status.pending.is_empty() {
        lines.push(format!(
            "pending: {}; drydock db migrate applies them, and so does a server that starts",
            migrations_text(&status.pending)
        ));
    }
    if !status.unknown.is_empty() {
        lines.push(format!(
            "unknown versions: {:?}; a newer drydock has used this database, and this one will not",
            status.unknown
        ));
    }
    if status.copy_unfinished {
        lines.push(
            "a copy into this database has begun and not ended; run the same drydock db copy again"
                .to_owned(),
        );
    }
    lines.push(format!("size: {} KiB", status.size.div_ceil(1024)));
    if !status.tables.is_empty() {
        let digests = status.tables.iter().any(|table| table.digest.is_some());
        let headings = ["table", "rows", "digest"];
        let mut table = print::table(&headings[..if digests { 3 } else { 2 }]);
        for state in &status.tables {
            let mut row = vec![state.name.to_owned(), state.rows.to_string()];
            row.extend(state.digest.clone());
            table.add_row(row);
        }
        lines.push(table.to_string());
    }
    lines.join("\n")
}

fn migrated_json(migrated: &Migrated) -> Value {
    json!({
        "place": migrated.place,
        "before": migrated.before,
        "now": migrated.now,
        "applied": migrations_json(&migrated.applied),
    })
}

fn migrated_text(migrated: &Migrated) -> String {
    if migrated.applied.is_empty() {
        return format!(
            "{} is at schema version {} already; nothing to do",
            migrated.place, migrated.now
        );
    }
    format!(
        "{} is at schema version {} now; applied: {}",
        migrated.place,
        migrated.now,
        migrations_text(&migrated.applied)
    )
}

fn copied_json(copied: &Copied) -> Value {
    let tables: Vec<_> = copied
        .tables
        .iter()
        .map(|table| {
            json!({
                "name": table.name,
                "rows": table.rows,
                "copied": table.taken,
                "digest": table.digest,
            })
        })
        .collect();
    json!({
        "from": copied.from,
        "to": copied.to,
        "resumed": copied.resumed,
        "tables": tables,
    })
}

fn copied_text(copied: &Copied) -> String {
    let mut table = print::table(&["table", "rows", "copied now", "digest"]);
    for one in &copied.tables {
        table.add_row([
            one.name.to_owned(),
            one.rows.to_string(),
            one.taken.to_string(),
            one.digest.clone(),
        ]);
    }
    let how = match copied.resumed {
        true => ", going on from what was there",
        false => "",
    };
    format!(
        "copied {} to {}{how}; both are the same by count and digest\n{table}",
        copied.from, copied.to
    )
}
