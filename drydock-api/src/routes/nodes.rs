//! `/nodes`: the machines as the node provisioner knows them.

use actix_web::{HttpResponse, web};

use crate::error::ApiError;
use crate::state::ApiState;

pub(super) async fn list(state: web::Data<ApiState>) -> Result<HttpResponse, ApiError> {
    let provisioner = state.provisioner.as_ref().ok_or_else(|| {
        ApiError::unavailable(
            "no node provisioner is configured; set drivers.node and drivers.maas",
        )
    })?;
    Ok(HttpResponse::Ok().json(provisioner.machines().await?))
}
