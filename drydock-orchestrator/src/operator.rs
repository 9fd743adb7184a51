//! Where a step hears of what an operator answered: the store.

use std::sync::Arc;

use async_trait::async_trait;
use drydock_model::driver::DriverError;
use drydock_model::id::TaskId;
use drydock_model::operator::{Operator, OperatorAnswer};
use drydock_model::store::Store;

/// The answers to one step.
pub(crate) struct StoredAnswers {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) step: TaskId,
}

#[async_trait]
impl Operator for StoredAnswers {
    async fn answer(&self) -> Result<Option<OperatorAnswer>, DriverError> {
        let request = self.store.operator_request(self.step).await;
        let request = request.map_err(|error| {
            DriverError::transient(
                "reading what an operator answered",
                "the database",
                error.to_string(),
                "see the server's log",
            )
        })?;
        Ok(request.and_then(|request| request.answer))
    }
}
