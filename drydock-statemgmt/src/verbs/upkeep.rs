//! One connection to a database that is looked after: what both back ends do alike, with SQL made from the registry of
//! tables.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use drydock_model::store::StoreResult;
use futures::TryStreamExt as _;
use futures::stream::BoxStream;
use sqlx::{AssertSqlSafe, Connection as _, QueryBuilder, Row as _};
use uuid::Uuid;

use super::{Conn, Db, KEY_ORDER, MIGRATOR, NUMBER_GIVEN, Row, Upkeep, WRITE, stamp};
use crate::fault::Fault;
use crate::upkeep::cell::{Cell, Cells};
use crate::upkeep::registry::{Declared, Kind, TABLES, Table};
use crate::upkeep::{BackEnd, Endpoint, Migration, Progress, Step, migrations_of};

/// Binds a value as its column wants it.
macro_rules! with_value {
    ($kind:expr, $cell:expr, $value:ident => $bind:expr) => {
        match $kind {
            Kind::Bool => {
                let $value = match $cell {
                    Cell::Bool(value) => Some(*value),
                    _ => None,
                };
                $bind
            }
            Kind::Int => {
                let $value = match $cell {
                    Cell::Number(value) => i32::try_from(*value).ok(),
                    _ => None,
                };
                $bind
            }
            Kind::Long => {
                let $value = match $cell {
                    Cell::Number(value) => Some(*value),
                    _ => None,
                };
                $bind
            }
            Kind::Float => {
                let $value = match $cell {
                    Cell::Float(value) => Some(*value),
                    _ => None,
                };
                $bind
            }
            Kind::Text | Kind::Json => {
                let $value = match $cell {
                    Cell::Text(value) => Some(value.clone()),
                    _ => None,
                };
                $bind
            }
            Kind::Time => {
                let $value = match $cell {
                    Cell::Time(value) => Some(stamp(*value)),
                    _ => None,
                };
                $bind
            }
            Kind::Id => {
                let $value = match $cell {
                    Cell::Id(value) => Some(*value),
                    _ => None,
                };
                $bind
            }
            Kind::Bytes => {
                let $value = match $cell {
                    Cell::Bytes(value) => Some(value.clone()),
                    _ => None,
                };
                $bind
            }
        }
    };
}

#[async_trait]
impl Endpoint for Upkeep {
    fn back_end(&self) -> BackEnd {
        super::BACK_END
    }

    fn place(&self) -> &str {
        &self.place
    }

    fn known(&self) -> Vec<Migration> {
        migrations_of(&MIGRATOR)
    }

    async fn server_version(&mut self) -> Result<String, Fault> {
        super::server_version(&mut self.conn).await
    }

    async fn size(&mut self) -> Result<i64, Fault> {
        super::size(&mut self.conn).await
    }

    async fn declared(&mut self) -> Result<Vec<Declared>, Fault> {
        let rows = sqlx::query(super::DECLARED)
            .fetch_all(&mut self.conn)
            .await?;
        rows.iter()
            .map(|row| {
                Ok(Declared {
                    table: row.try_get("in_table")?,
                    column: row.try_get("is_called")?,
                    kind: row.try_get("declared_as")?,
                })
            })
            .collect()
    }

    async fn applied(&mut self) -> Result<Vec<i64>, Fault> {
        applied(&mut self.conn).await
    }

    async fn migrate(&mut self) -> StoreResult<Vec<i64>> {
        self.migrate_alone().await
    }

    async fn freeze(&mut self) -> Result<(), Fault> {
        sqlx::query(super::FREEZE).execute(&mut self.conn).await?;
        Ok(())
    }

    async fn last_heard(&mut self) -> Result<Option<Duration>, Fault> {
        let heard: Option<DateTime<Utc>> = sqlx::query_scalar(
            "SELECT MAX(seen) FROM (SELECT MAX(beat) AS seen FROM instances
             UNION ALL SELECT MAX(pinged) FROM leadership WHERE instance IS NOT NULL) heard",
        )
        .fetch_one(&mut self.conn)
        .await?;
        let now = self.now().await?;
        // Later than now, by a clock that goes ahead, is just now.
        Ok(heard.map(|at| (now - at).to_std().unwrap_or_default()))
    }

    async fn count(&mut self, table: &Table) -> Result<i64, Fault> {
        let sql = format!("SELECT COUNT(*) FROM {}", table.name);
        Ok(sqlx::query_scalar(AssertSqlSafe(sql))
            .fetch_one(&mut self.conn)
            .await?)
    }

    async fn is_used(&mut self, table: &Table) -> Result<bool, Fault> {
        let fresh = table.fresh.unwrap_or("FALSE");
        let sql = format!(
            "SELECT EXISTS (SELECT 1 FROM {} WHERE NOT ({fresh}))",
            table.name
        );
        Ok(sqlx::query_scalar(AssertSqlSafe(sql))
            .fetch_one(&mut self.conn)
            .await?)
    }

    fn rows<'a>(
        &'a mut self,
        table: &'static Table,
        after: Option<Cells>,
    ) -> BoxStream<'a, Result<Cells, Fault>> {
        let sql = selection(table, after.is_some());
        let mut query = sqlx::query::<Db>(AssertSqlSafe(sql)).persistent(false);
        for (cell, kind) in after.iter().flatten().zip(table.key_kinds()) {
            query = with_value!(kind, cell, value => query.bind(value));
        }
        let rows = query.fetch(&mut self.conn);
        Box::pin(
            rows.map_err(Fault::from)
                .and_then(move |row| std::future::ready(cells(table, &row))),
        )
    }

    async fn begin_copy(&mut self, source: &str) -> Result<(), Fault> {
        let mut tx = self.conn.begin_with(WRITE).await?;
        sqlx::query(
            "CREATE TABLE drydock_copy (
                 name text PRIMARY KEY NOT NULL, source text NOT NULL,
                 last_key text NOT NULL, ended boolean NOT NULL)",
        )
        .execute(&mut *tx)
        .await?;
        for table in TABLES {
            sqlx::query(
                "INSERT INTO drydock_copy (name, source, last_key, ended)
                 VALUES ($1, $2, '', FALSE)",
            )
            .bind(table.name)
            .bind(source)
            .execute(&mut *tx)
            .await?;
            if let Some(fresh) = table.fresh {
                let sql = format!("DELETE FROM {} WHERE {fresh}", table.name);
                sqlx::query(AssertSqlSafe(sql)).execute(&mut *tx).await?;
            }
        }
        Ok(tx.commit().await?)
    }

    async fn progress(&mut self) -> Result<Progress, Fault> {
        let rows = sqlx::query("SELECT name, source, last_key, ended FROM drydock_copy")
            .fetch_all(&mut self.conn)
            .await?;
        let mut progress = Progress {
            source: String::new(),
            tables: Vec::with_capacity(rows.len()),
        };
        for row in &rows {
            progress.source = row.try_get("source")?;
            let step = Step {
                last: row.try_get("last_key")?,
                ended: row.try_get("ended")?,
            };
            progress.tables.push((row.try_get("name")?, step));
        }
        Ok(progress)
    }

    async fn take(
        &mut self,
        table: &'static Table,
        rows: &[Cells],
        from: &Step,
        to: &Step,
    ) -> Result<bool, Fault> {
        let mut tx = self.conn.begin_with(WRITE).await?;
        let noted = sqlx::query(
            "UPDATE drydock_copy SET last_key = $3, ended = $4
             WHERE name = $1 AND last_key = $2 AND NOT ended",
        )
        .bind(table.name)
        .bind(&from.last)
        .bind(&to.last)
        .bind(to.ended)
        .execute(&mut *tx)
        .await?;
        if noted.rows_affected() != 1 {
            return Ok(false);
        }
        if !rows.is_empty() {
            let mut sql = insertion(table, rows);
            sql.build().persistent(false).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(true)
    }

    async fn go_on_numbering(&mut self, table: &Table) -> Result<(), Fault> {
        super::go_on_numbering(&mut self.conn, table).await
    }

    async fn end_copy(&mut self) -> Result<(), Fault> {
        sqlx::query("DROP TABLE drydock_copy")
            .execute(&mut self.conn)
            .await?;
        Ok(())
    }
}

/// The versions that have been applied, in order; the list of migrations must be there.
pub(super) async fn applied(conn: &mut Conn) -> Result<Vec<i64>, Fault> {
    Ok(
        sqlx::query_scalar("SELECT version FROM _sqlx_migrations ORDER BY version")
            .fetch_all(conn)
            .await?,
    )
}

/// A query for all rows of a table, or for those after a key.
fn selection(table: &Table, after: bool) -> String {
    let names: Vec<_> = table.columns.iter().map(|(name, _)| *name).collect();
    let key = table.columns.iter().take(table.key);
    let key: Vec<_> = key
        .map(|(name, kind)| match kind {
            Kind::Text => format!("{name}{KEY_ORDER}"),
            _ => (*name).to_owned(),
        })
        .collect();
    let key = key.join(", ");
    let places: Vec<_> = (1..=table.key).map(|place| format!("${place}")).collect();
    let condition = match after {
        true => format!(" WHERE ({key}) > ({})", places.join(", ")),
        false => String::new(),
    };
    format!(
        "SELECT {} FROM {}{condition} ORDER BY {key}",
        names.join(", "),
        table.name
    )
}

fn insertion(table: &Table, rows: &[Cells]) -> QueryBuilder<Db> {
    let names: Vec<_> = table.columns.iter().map(|(name, _)| *name).collect();
    let given = if table.numbered { NUMBER_GIVEN } else { "" };
    let mut sql = QueryBuilder::<Db>::new(format!(
        "INSERT INTO {} ({}){given} ",
        table.name,
        names.join(", ")
    ));
    sql.push_values(rows, |mut row, cells| {
        for (cell, (_, kind)) in cells.iter().zip(table.columns) {
            with_value!(*kind, cell, value => row.push_bind(value));
        }
    });
    sql
}

fn cells(table: &Table, row: &Row) -> Result<Cells, Fault> {
    let columns = table.columns.iter().enumerate();
    columns
        .map(|(at, (_, kind))| {
            let cell = match kind {
                Kind::Bool => row.try_get::<Option<bool>, _>(at)?.map(Cell::Bool),
                Kind::Int => row
                    .try_get::<Option<i32>, _>(at)?
                    .map(|n| Cell::Number(n.into())),
                Kind::Long => row.try_get::<Option<i64>, _>(at)?.map(Cell::Number),
                Kind::Float => row.try_get::<Option<f64>, _>(at)?.map(Cell::Float),
                Kind::Text | Kind::Json => row.try_get::<Option<String>, _>(at)?.map(Cell::Text),
                Kind::Time => row.try_get::<Option<DateTime<Utc>>, _>(at)?.map(Cell::Time),
                Kind::Id => row.try_get::<Option<Uuid>, _>(at)?.map(Cell::Id),
                Kind::Bytes => row.try_get::<Option<Vec<u8>>, _>(at)?.map(Cell::Bytes),
            };
            Ok(cell.unwrap_or(Cell::Null))
        })
        .collect()
}
