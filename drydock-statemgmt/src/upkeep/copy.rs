//! The whole state from one database into another, of the same back end or the other.
//!
//! The source is read in one transaction, so that what is copied and what it is compared with at the end is one state.
//! Rows go over in the order of their keys; each batch is one transaction of the target with a note of how far it has
//! come. A copy that was killed at any moment goes on from there, and never takes a row twice.

use std::sync::Arc;
use std::time::Duration;

use drydock_model::clock::Clock;
use drydock_model::store::{StoreError, StoreResult};
use futures::TryStreamExt as _;

use crate::fault::{Fault, classify, settle};
use crate::upkeep::cell::{Cell, Cells, key_from, key_text, unfit};
use crate::upkeep::registry::{self, TABLES, Table};
use crate::upkeep::{Access, BackEnd, Endpoint, MARKER, Step, applied, newest, reach, sum};

/// An instance that was heard of within this time is taken for alive. Heartbeats come every second unless configured
/// otherwise, and a server that stops in order takes its own away.
const ALIVE: Duration = Duration::from_secs(30);

/// Most bytes of one batch, more or less: a source of a design may be many megabytes long.
const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// Most rows of one batch: SQLite takes 32766 parameters, and a row has at most 24.
const MOST_ROWS: usize = 1_000;

/// How to copy.
#[derive(Clone)]
pub struct CopyOptions {
    /// How long to wait for a connection.
    pub connect_timeout: Duration,
    /// Copy although a server is at work on the source: what it does from now on is not copied.
    pub force: bool,
    /// Rows in one transaction, 1 to 1000; fewer when they are long.
    pub batch: usize,
    /// The time of a SQLite database.
    pub clock: Arc<dyn Clock>,
}

/// A table that was copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopiedTable {
    /// Its name.
    pub name: &'static str,
    /// How many rows it has, in source and target.
    pub rows: u64,
    /// How many of them this call has taken; the others were there from a copy that was interrupted.
    pub taken: u64,
    /// SHA-256 over its rows, the same in source and target, in hexadecimal.
    pub digest: String,
}

/// What a copy came to. It has been verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Where from: the URL without user and password.
    pub from: String,
    /// Where to: the URL without user and password.
    pub to: String,
    /// It went on where another had been interrupted.
    pub resumed: bool,
    /// The tables, in the order of their copying.
    pub tables: Vec<CopiedTable>,
}

/// Copies the whole state between two databases and verifies it by count and digest. The target must be empty, or hold
/// the beginning of the same copy, or all of it; a missing SQLite file is made.
///
/// # Errors
/// [`StoreError::Conflict`] when the target holds something else, a server is at work on the source (unless forced), a
/// schema does not fit, or the target differs from the source in the end: then the text names the table and the first
/// key. [`StoreError::Unavailable`] when one cannot be reached; the same call again goes on.
pub async fn copy(from: &str, to: &str, options: CopyOptions) -> StoreResult<Copied> {
    let limit = options.connect_timeout;
    let mut source = reach(from, Access::Read, limit, &options.clock).await?;
    let what = format!("looking at {}", source.place());
    settle(&what, check_source(source.as_mut(), options.force).await)?;
    let mut target = reach(to, Access::Write, limit, &options.clock).await?;
    let (from, to) = (source.place().to_owned(), target.place().to_owned());
    if from == to {
        return refused(format!("source and target are the same database, {from}"));
    }
    let what = format!("copying {from} to {to}");
    let done = transfer(source.as_mut(), target.as_mut(), &options).await;
    let (resumed, tables) = settle(&what, done)?;
    Ok(Copied {
        from,
        to,
        resumed,
        tables,
    })
}

fn refused<T, E: From<StoreError>>(text: String) -> Result<T, E> {
    Err(StoreError::Conflict(text).into())
}

/// The source is of this program's version and nobody works on it; from now on it stands still for this connection.
async fn check_source(source: &mut dyn Endpoint, force: bool) -> Result<(), Fault> {
    source.freeze().await?;
    let declared = source.declared().await?;
    let (has, known) = (applied(source, &declared).await?, source.known());
    let place = source.place();
    if declared.iter().any(|column| column.table == MARKER) {
        return refused(format!(
            "a copy into the source {place} has begun and not ended; end that one first"
        ));
    }
    match has.last() {
        None => return refused(format!("there is nothing of drydock's in {place}")),
        Some(version) if *version > newest(&known) => {
            return refused(format!(
                "{place} has schema version {version}, which this program does not know: a newer drydock has used it; \
                 copy with that version or a later one"
            ));
        }
        Some(_) if has.len() < known.len() => {
            return refused(format!(
                "the schema of {place} is older than this program; run drydock db migrate on it first"
            ));
        }
        Some(_) => {}
    }
    check_schema(source.back_end(), place, &declared)?;
    match source.last_heard().await? {
        Some(ago) if ago < ALIVE && !force => refused(format!(
            "a server is at work on {}: it was heard of {} s ago; stop all servers first, or tell it to copy \
             nevertheless (--force): what they do from now on is not copied",
            source.place(),
            ago.as_secs()
        )),
        _ => Ok(()),
    }
}

fn check_schema(
    back_end: BackEnd,
    place: &str,
    declared: &[registry::Declared],
) -> Result<(), Fault> {
    let differences = registry::differences(back_end, declared);
    match differences.is_empty() {
        true => Ok(()),
        false => refused(format!(
            "the schema of {place} is not the one that this program copies: {}",
            differences.join("; ")
        )),
    }
}

/// Everything, from the state that the target is in.
async fn transfer(
    source: &mut dyn Endpoint,
    target: &mut dyn Endpoint,
    options: &CopyOptions,
) -> Result<(bool, Vec<CopiedTable>), Fault> {
    let declared = target.declared().await?;
    let foreign = registry::foreign(&declared);
    if !foreign.is_empty() {
        let names: Vec<_> = foreign.into_iter().collect();
        return refused(format!(
            "the target {} holds something else: {}; take an empty database",
            target.place(),
            names.join(", ")
        ));
    }
    let resumed = declared.iter().any(|column| column.table == MARKER);
    target.migrate().await?;
    let declared = target.declared().await?;
    check_schema(target.back_end(), target.place(), &declared)?;
    let steps = match resumed {
        true => resume(source.place(), target).await?,
        false => match used(target).await? {
            None => {
                target.begin_copy(source.place()).await?;
                vec![Step::default(); TABLES.len()]
            }
            Some(table) => return done_before(source, target, table).await,
        },
    };
    let mut taken = Vec::with_capacity(TABLES.len());
    for (table, step) in TABLES.iter().zip(steps) {
        taken.push(take_table(source, target, table, step, options.batch).await?);
        if table.numbered {
            target.go_on_numbering(table).await?;
        }
    }
    let sums = verify(source, target).await?;
    target.end_copy().await?;
    let tables = TABLES.iter().zip(sums).zip(taken);
    let tables = tables.map(|((table, sum), taken)| CopiedTable {
        name: table.name,
        rows: sum.rows,
        taken,
        digest: sum.digest,
    });
    Ok((resumed, tables.collect()))
}

/// The first table of the target that is used.
async fn used(target: &mut dyn Endpoint) -> Result<Option<&'static Table>, Fault> {
    for table in TABLES {
        if target.is_used(table).await? {
            return Ok(Some(table));
        }
    }
    Ok(None)
}

/// Without a marker a target in use holds all of the source, or something else.
async fn done_before(
    source: &mut dyn Endpoint,
    target: &mut dyn Endpoint,
    table: &'static Table,
) -> Result<(bool, Vec<CopiedTable>), Fault> {
    let mut tables = Vec::with_capacity(TABLES.len());
    for each in TABLES {
        let ours = sum::of(source, each).await?;
        if ours != sum::of(target, each).await? {
            let rows = target.count(table).await?;
            return refused(format!(
                "the target {} holds something else: {rows} row(s) in {}; take an empty database",
                target.place(),
                table.name
            ));
        }
        tables.push(CopiedTable {
            name: each.name,
            rows: ours.rows,
            taken: 0,
            digest: ours.digest,
        });
    }
    Ok((true, tables))
}

/// How far the copy that was interrupted had come.
async fn resume(source: &str, target: &mut dyn Endpoint) -> Result<Vec<Step>, Fault> {
    let progress = target.progress().await?;
    if progress.source != source {
        return refused(format!(
            "the target {} holds the beginning of a copy of another database, {}; go on with that one, or take an \
             empty database",
            target.place(),
            progress.source
        ));
    }
    let mut steps = Vec::with_capacity(TABLES.len());
    for table in TABLES {
        let found = progress.tables.iter().find(|(name, _)| name == table.name);
        match found {
            Some((_, step)) => steps.push(step.clone()),
            None => {
                return refused(format!(
                    "the copy into {} was begun by another version of drydock, which did not know the table {}; take \
                     an empty database",
                    target.place(),
                    table.name
                ));
            }
        }
    }
    Ok(steps)
}

/// The rows of a table that are not there yet; how many.
async fn take_table(
    source: &mut dyn Endpoint,
    target: &mut dyn Endpoint,
    table: &'static Table,
    mut step: Step,
    batch: usize,
) -> Result<u64, Fault> {
    if step.ended {
        return Ok(0);
    }
    let nul_is_refused = target.back_end() == BackEnd::Postgres;
    let after = match step.last.as_str() {
        "" => None,
        text => Some(key_from(table, text)?),
    };
    let mut rows = source.rows(table, after);
    let mut taken = 0;
    while !step.ended {
        let (mut some, mut bytes) = (Vec::new(), 0);
        let most = batch.clamp(1, MOST_ROWS);
        let mut ended = false;
        while some.len() < most && bytes < BATCH_BYTES {
            let Some(row) = rows.try_next().await? else {
                ended = true;
                break;
            };
            if let Some(why) = unfit(table, &row, nul_is_refused) {
                return refused(format!("{why}; change it in the source, then copy again"));
            }
            bytes += row.iter().map(Cell::size).sum::<usize>();
            some.push(row);
        }
        let next = Step {
            last: some
                .last()
                .map_or_else(|| step.last.clone(), |row: &Cells| key_text(table, row)),
            ended,
        };
        let done = target.take(table, &some, &step, &next).await;
        if !at_table(table, &step, done)? {
            return refused(format!(
                "another copy into {} is at work; let it end",
                target.place()
            ));
        }
        taken += some.len() as u64;
        step = next;
    }
    Ok(taken)
}

/// An error of the target, with the place in the copy where it came.
fn at_table<T>(table: &Table, step: &Step, done: Result<T, Fault>) -> Result<T, Fault> {
    done.map_err(|fault| match fault {
        Fault::Sql(error) => {
            let place = match step.last.as_str() {
                "" => "from the beginning".to_owned(),
                last => format!("after the row {last}"),
            };
            Fault::Store(classify(&format!("writing {} {place}", table.name), &error))
        }
        store => store,
    })
}

/// Both hold the same; else which table differs, and where first.
async fn verify(
    source: &mut dyn Endpoint,
    target: &mut dyn Endpoint,
) -> Result<Vec<sum::Sum>, Fault> {
    let mut sums = Vec::with_capacity(TABLES.len());
    for table in TABLES {
        let (ours, theirs) = tokio::join!(sum::of(source, table), sum::of(target, table));
        let (ours, theirs) = (ours?, theirs?);
        if ours != theirs {
            let key = sum::first_difference(source, target, table).await?;
            return refused(format!(
                "the copy is not the same as its source: table {} has {} row(s) in {} and {} in {}, and the row {} is \
                 the first that differs; the source has been changed between two runs of the copy, or the target by \
                 somebody else: begin again with an empty target",
                table.name,
                ours.rows,
                source.place(),
                theirs.rows,
                target.place(),
                key.as_deref().unwrap_or("(none any more)"),
            ));
        }
        sums.push(ours);
    }
    Ok(sums)
}
