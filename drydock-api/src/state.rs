//! What the handlers work with.

use std::sync::Arc;
use std::time::Duration;

use drydock_model::clock::Clock;
use drydock_model::driver::NodeProvisioner;
use drydock_model::id::IdSource;
use drydock_model::store::Store;
use drydock_orchestrator::boot::service::BootService;
use drydock_orchestrator::designs::Designs;
use tokio::sync::Mutex;

/// How long an answer of `/health` is good for.
const HEALTH_FRESH: Duration = Duration::from_secs(3);

/// Everything a handler may use. Ports only.
pub struct ApiState {
    /// The store.
    pub store: Arc<dyn Store>,
    /// Designs, shared with the engine.
    pub designs: Arc<Designs>,
    /// What deployed machines ask for.
    pub boot: BootService,
    /// The node provisioner, if one is enabled.
    pub provisioner: Option<Arc<dyn NodeProvisioner>>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Ids.
    pub ids: Arc<dyn IdSource>,
    /// Longest body taken, bytes.
    pub max_body: usize,
    /// The last look at everybody's health.
    pub health: HealthCache,
}

/// One part's health: its name, and what is wrong with it.
pub type PartHealth = (&'static str, Result<(), String>);

/// Health, looked at most every few seconds whatever the number of askers.
#[derive(Default)]
pub struct HealthCache(Mutex<Option<(Duration, Vec<PartHealth>)>>);

impl ApiState {
    /// Health of the store and of the node provisioner.
    pub async fn health(&self) -> Vec<PartHealth> {
        // Held over the look: a crowd of askers makes one look, not many.
        let mut kept = self.health.0.lock().await;
        let now = self.clock.monotonic();
        if let Some((at, parts)) = &*kept
            && now.saturating_sub(*at) < HEALTH_FRESH
        {
            return parts.clone();
        }
        let mut parts: Vec<PartHealth> = vec![(
            "database",
            self.store.ping().await.map_err(|error| error.to_string()),
        )];
        if let Some(provisioner) = &self.provisioner {
            parts.push((
                provisioner.name(),
                provisioner
                    .health()
                    .await
                    .map_err(|error| error.to_string()),
            ));
        }
        *kept = Some((now, parts.clone()));
        parts
    }
}
