//! Designs and pinned contents.

use async_trait::async_trait;
use drydock_model::id::{DesignId, Digest};
use drydock_model::ingest::Source;
use drydock_model::store::{DesignStore, StoreError, StoreResult, StoredDesign};
use sqlx::Row as _;
use uuid::Uuid;

use super::{Backend, Conn, during, stamp};
use crate::column::{from_json, to_json};
use crate::fault::{Fault, duplicate};

#[async_trait]
impl DesignStore for Backend {
    async fn create_design(
        &self,
        id: DesignId,
        base: Option<DesignId>,
    ) -> StoreResult<StoredDesign> {
        during("making a design", create(self, id, base)).await
    }

    async fn designs(&self) -> StoreResult<Vec<DesignId>> {
        during("listing the designs", async {
            let ids: Vec<Uuid> = sqlx::query_scalar("SELECT id FROM designs ORDER BY seq")
                .fetch_all(&self.readers)
                .await?;
            Ok(ids.into_iter().map(DesignId).collect())
        })
        .await
    }

    async fn design(&self, id: DesignId) -> StoreResult<StoredDesign> {
        during("reading a design", async {
            let mut tx = self.read().await?;
            let design = read(&mut tx, id).await?;
            tx.commit().await?;
            Ok(design)
        })
        .await
    }

    async fn replace_sources(
        &self,
        id: DesignId,
        revision: i64,
        sources: &[Source],
    ) -> StoreResult<i64> {
        during("changing a design", replace(self, id, revision, sources)).await
    }

    async fn delete_design(&self, id: DesignId) -> StoreResult<()> {
        during("deleting a design", delete(self, id)).await
    }

    async fn pin(&self, digest: &Digest, sources: &[Source]) -> StoreResult<()> {
        during("pinning a design's content", async {
            let mut tx = self.write().await?;
            let now = self.now(&mut tx).await?;
            // Mostly it is there, and the texts of a large site need not go to the database for each task.
            let there = sqlx::query("UPDATE pins SET created = $2 WHERE digest = $1")
                .bind(&digest.0)
                .bind(stamp(now))
                .execute(&mut *tx)
                .await?;
            if there.rows_affected() == 0 {
                sqlx::query(
                    "INSERT INTO pins (digest, sources, created) VALUES ($1, $2, $3)
                     ON CONFLICT (digest) DO UPDATE SET created = excluded.created",
                )
                .bind(&digest.0)
                .bind(to_json(sources)?)
                .bind(stamp(now))
                .execute(&mut *tx)
                .await?;
            }
            Ok(tx.commit().await?)
        })
        .await
    }

    async fn pinned(&self, digest: &Digest) -> StoreResult<Vec<Source>> {
        during("reading a pinned content", async {
            let text: Option<String> =
                sqlx::query_scalar("SELECT sources FROM pins WHERE digest = $1")
                    .bind(&digest.0)
                    .fetch_optional(&self.readers)
                    .await?;
            from_json("pins.sources", &text.ok_or(StoreError::NotFound)?)
        })
        .await
    }
}

async fn create(
    backend: &Backend,
    id: DesignId,
    base: Option<DesignId>,
) -> Result<StoredDesign, Fault> {
    let mut tx = backend.write().await?;
    // A copy goes on from where the original stands.
    let revision = match base {
        None => 0,
        Some(base) => sqlx::query_scalar(concat!(
            "SELECT revision FROM designs WHERE id = $1",
            for_share!()
        ))
        .bind(base.0)
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(StoreError::NotFound)?,
    };
    let now = backend.now(&mut tx).await?;
    let inserted =
        sqlx::query("INSERT INTO designs (id, base, revision, created) VALUES ($1, $2, $3, $4)")
            .bind(id.0)
            .bind(base.map(|base| base.0))
            .bind::<i64>(revision)
            .bind(stamp(now))
            .execute(&mut *tx)
            .await;
    duplicate(inserted, || format!("there is a design {id} already"))?;
    if let Some(base) = base {
        sqlx::query(
            "INSERT INTO design_sources (design, ordinal, source)
             SELECT $1, ordinal, source FROM design_sources WHERE design = $2",
        )
        .bind(id.0)
        .bind(base.0)
        .execute(&mut *tx)
        .await?;
    }
    let design = read(&mut tx, id).await?;
    tx.commit().await?;
    Ok(design)
}

async fn read(conn: &mut Conn, id: DesignId) -> Result<StoredDesign, Fault> {
    let row = sqlx::query("SELECT base, revision FROM designs WHERE id = $1")
        .bind(id.0)
        .fetch_optional(&mut *conn)
        .await?
        .ok_or(StoreError::NotFound)?;
    let texts: Vec<String> =
        sqlx::query_scalar("SELECT source FROM design_sources WHERE design = $1 ORDER BY ordinal")
            .bind(id.0)
            .fetch_all(&mut *conn)
            .await?;
    Ok(StoredDesign {
        id,
        base: row.try_get::<Option<Uuid>, _>("base")?.map(DesignId),
        revision: row.try_get("revision")?,
        sources: texts
            .iter()
            .map(|text| from_json("design_sources.source", text))
            .collect::<Result<_, _>>()?,
    })
}

async fn replace(
    backend: &Backend,
    id: DesignId,
    revision: i64,
    sources: &[Source],
) -> Result<i64, Fault> {
    let mut tx = backend.write().await?;
    let stands: i64 = sqlx::query_scalar(concat!(
        "SELECT revision FROM designs WHERE id = $1",
        for_update!()
    ))
    .bind(id.0)
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(StoreError::NotFound)?;
    if stands != revision {
        return Err(StoreError::Conflict(format!(
            "design {id} was changed meanwhile (it is at revision {stands}, this was checked \
             against {revision}); read it again and repeat"
        ))
        .into());
    }
    let next = revision + 1;
    sqlx::query("UPDATE designs SET revision = $2 WHERE id = $1")
        .bind(id.0)
        .bind(next)
        .execute(&mut *tx)
        .await?;
    write_sources(&mut tx, id, sources).await?;
    tx.commit().await?;
    Ok(next)
}

/// Writes what differs only: a text may be many megabytes long, and a change mostly adds one.
async fn write_sources(conn: &mut Conn, id: DesignId, sources: &[Source]) -> Result<(), Fault> {
    let old: Vec<String> =
        sqlx::query_scalar("SELECT source FROM design_sources WHERE design = $1 ORDER BY ordinal")
            .bind(id.0)
            .fetch_all(&mut *conn)
            .await?;
    let mut count = 0_i64;
    for source in sources {
        let text = to_json(source)?;
        let stands = usize::try_from(count).ok().and_then(|at| old.get(at));
        count += 1;
        if stands == Some(&text) {
            continue;
        }
        sqlx::query(
            "INSERT INTO design_sources (design, ordinal, source) VALUES ($1, $2, $3)
             ON CONFLICT (design, ordinal) DO UPDATE SET source = excluded.source",
        )
        .bind(id.0)
        .bind(count)
        .bind(text)
        .execute(&mut *conn)
        .await?;
    }
    sqlx::query("DELETE FROM design_sources WHERE design = $1 AND ordinal > $2")
        .bind(id.0)
        .bind(count)
        .execute(conn)
        .await?;
    Ok(())
}

async fn delete(backend: &Backend, id: DesignId) -> Result<(), Fault> {
    let mut tx = backend.write().await?;
    let user: Option<Uuid> = sqlx::query_scalar(
        "SELECT id FROM tasks
         WHERE lower(substr(design_ref, 1, 64)) = $1 AND status NOT IN ('complete', 'terminated')
         ORDER BY created LIMIT 1",
    )
    .bind(format!("design:{id}"))
    .fetch_optional(&mut *tx)
    .await?;
    let deleted = sqlx::query("DELETE FROM designs WHERE id = $1")
        .bind(id.0)
        .execute(&mut *tx)
        .await?
        .rows_affected();
    if deleted == 0 {
        return Err(StoreError::NotFound.into());
    }
    if let Some(task) = user {
        return Err(StoreError::Conflict(format!(
            "design {id} is used by task {task}, which has not ended; wait for it or terminate it"
        ))
        .into());
    }
    Ok(tx.commit().await?)
}
