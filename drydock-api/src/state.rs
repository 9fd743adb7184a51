//! What the handlers work with.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use drydock_model::clock::Clock;
use drydock_model::driver::NodeProvisioner;
use drydock_model::id::IdSource;
use drydock_model::store::Store;
use drydock_orchestrator::boot::service::BootService;
use drydock_orchestrator::designs::Designs;
pub use futures::future::BoxFuture;
use tokio::sync::Mutex;
use tracing::warn;

/// How long an answer of `/health` is good for.
const HEALTH_FRESH: Duration = Duration::from_secs(3);

/// How long a look at one part may take.
const HEALTH_PATIENCE: Duration = Duration::from_secs(5);

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
    /// Who tells how the process is; `None`: there is nothing to tell.
    pub metrics: Option<Arc<dyn Metrics>>,
}

/// Who tells how the process is.
pub trait Metrics: Send + Sync {
    /// Its numbers in the text form of OpenMetrics 1.0. Holds no secret: whoever can reach the API reads it.
    fn text(&self) -> BoxFuture<'_, String>;
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
        let database = async {
            self.in_time(async {
                self.store.ping().await.map_err(|error| {
                    // The text may name hosts and users of the database.
                    warn!(%error, "the database is not healthy");
                    "it does not answer as it should; the server's log says why".to_owned()
                })
            })
            .await
        };
        let provisioner = async {
            let provisioner = self.provisioner.as_ref()?;
            let health = self
                .in_time(async {
                    provisioner
                        .health()
                        .await
                        .map_err(|error| error.to_string())
                })
                .await;
            Some((provisioner.name(), health))
        };
        let (database, provisioner) = futures::join!(database, provisioner);
        let mut parts: Vec<PartHealth> = vec![("database", database)];
        parts.extend(provisioner);
        *kept = Some((self.clock.monotonic(), parts.clone()));
        parts
    }

    /// A look that takes too long is an answer, too.
    async fn in_time(&self, look: impl Future<Output = Result<(), String>>) -> Result<(), String> {
        tokio::select! {
            health = look => health,
            () = self.clock.sleep(HEALTH_PATIENCE) => {
                Err(format!("no answer within {} s", HEALTH_PATIENCE.as_secs()))
            }
        }
    }
}
