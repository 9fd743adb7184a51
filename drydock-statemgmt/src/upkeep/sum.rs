//! Whether two tables hold the same, on whatever back ends: by count, by digest, and by row where they do not.

use futures::TryStreamExt as _;
use sha2::{Digest as _, Sha256};

use crate::fault::Fault;
use crate::upkeep::Endpoint;
use crate::upkeep::cell::{by_key, canonical, hexadecimal, key_text};
use crate::upkeep::registry::Table;

/// What a table comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sum {
    /// How many rows.
    pub(crate) rows: u64,
    /// SHA-256 over the canonical text of each row, a line each, in the order of their keys.
    pub(crate) digest: String,
}

/// Reads a whole table, row by row.
pub(crate) async fn of(endpoint: &mut dyn Endpoint, table: &'static Table) -> Result<Sum, Fault> {
    let mut hash = Sha256::new();
    let mut count = 0;
    let mut rows = endpoint.rows(table, None);
    while let Some(row) = rows.try_next().await? {
        hash.update(canonical(table, &row));
        hash.update("\n");
        count += 1;
    }
    Ok(Sum {
        rows: count,
        digest: hexadecimal(&hash.finalize()),
    })
}

/// The key of the first row that is in one only, or differs.
pub(crate) async fn first_difference(
    source: &mut dyn Endpoint,
    target: &mut dyn Endpoint,
    table: &'static Table,
) -> Result<Option<String>, Fault> {
    let mut ours = source.rows(table, None);
    let mut theirs = target.rows(table, None);
    loop {
        let differs = match (ours.try_next().await?, theirs.try_next().await?) {
            (None, None) => return Ok(None),
            (Some(row), None) | (None, Some(row)) => row,
            (Some(ours), Some(theirs)) => {
                if canonical(table, &ours) == canonical(table, &theirs) {
                    continue;
                }
                match by_key(table, &ours, &theirs).is_gt() {
                    true => theirs,
                    false => ours,
                }
            }
        };
        return Ok(Some(key_text(table, &differs)));
    }
}
