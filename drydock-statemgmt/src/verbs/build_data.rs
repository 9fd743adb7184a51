//! Build data: what steps found out about nodes.

use async_trait::async_trait;
use drydock_model::build_data::{BuildData, KEPT};
use drydock_model::id::{ClaimToken, TaskId};
use drydock_model::store::{BuildDataStore, StoreResult};
use sqlx::Row as _;
use uuid::Uuid;

use super::boot::fence;
use super::{Backend, Row, during, stamp};
use crate::column::{from_json, to_json};
use crate::fault::Fault;

#[async_trait]
impl BuildDataStore for Backend {
    async fn record_build_data(
        &self,
        step: TaskId,
        token: ClaimToken,
        data: &[BuildData],
    ) -> StoreResult<()> {
        during("keeping build data", record(self, step, token, data)).await
    }

    async fn node_build_data(&self, node: &str) -> StoreResult<Vec<BuildData>> {
        during("reading the build data of a node", async {
            let rows = sqlx::query("SELECT * FROM build_data WHERE node = $1 ORDER BY seq")
                .bind(node)
                .fetch_all(&self.readers)
                .await?;
            rows.iter().map(build_data).collect()
        })
        .await
    }

    async fn task_build_data(&self, task: TaskId) -> StoreResult<Vec<BuildData>> {
        during("reading the build data of a task", async {
            let rows = sqlx::query("SELECT * FROM build_data WHERE task = $1 ORDER BY seq")
                .bind(task.0)
                .fetch_all(&self.readers)
                .await?;
            rows.iter().map(build_data).collect()
        })
        .await
    }
}

async fn record(
    backend: &Backend,
    step: TaskId,
    token: ClaimToken,
    data: &[BuildData],
) -> Result<(), Fault> {
    let mut tx = backend.write().await?;
    fence(&mut tx, step, token).await?;
    let task: Uuid = sqlx::query_scalar("SELECT task FROM steps WHERE id = $1")
        .bind(step.0)
        .fetch_one(&mut *tx)
        .await?;
    for one in data {
        sqlx::query(
            "INSERT INTO build_data
                (node, generator, task, step, collected, data_format, data_element)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (step, generator) DO UPDATE SET collected = excluded.collected,
                 data_format = excluded.data_format, data_element = excluded.data_element",
        )
        .bind(&one.node_name)
        .bind(&one.generator)
        .bind(task)
        .bind(step.0)
        .bind(stamp(one.collected_date))
        .bind(&one.data_format)
        .bind(to_json(&one.data_element)?)
        .execute(&mut *tx)
        .await?;
        // A node has one step at a time, so nobody else counts here.
        sqlx::query(
            "DELETE FROM build_data WHERE node = $1 AND generator = $2 AND seq <=
                 (SELECT b.seq FROM build_data b WHERE b.node = $1 AND b.generator = $2
                  ORDER BY b.seq DESC LIMIT 1 OFFSET $3)",
        )
        .bind(&one.node_name)
        .bind(&one.generator)
        .bind(i64::try_from(KEPT).unwrap_or(i64::MAX))
        .execute(&mut *tx)
        .await?;
    }
    backend.commit(tx).await
}

fn build_data(row: &Row) -> Result<BuildData, Fault> {
    Ok(BuildData {
        node_name: row.try_get("node")?,
        generator: row.try_get("generator")?,
        collected_date: row.try_get("collected")?,
        task_id: TaskId(row.try_get("step")?),
        data_format: row.try_get("data_format")?,
        data_element: from_json("build_data.data_element", row.try_get("data_element")?)?,
    })
}
