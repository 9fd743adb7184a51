//! The engine in this process without an API: the drivers, limits and journal of a server on a store of its own, for one design.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use drydock_design::rules::Options;
use drydock_drivers::oob::Attended;
use drydock_ingester::DesignIngester;
use drydock_model::clock::Clock;
use drydock_model::id::{DesignId, IdSource};
use drydock_model::ingest::{Ingester, Source};
use drydock_model::reference::References;
use drydock_model::store::Store;
use drydock_orchestrator::designs::{CompiledSite, Designs};
use drydock_orchestrator::engine::{Engine, Parts};
use drydock_orchestrator::system::{RandomIds, SystemClock};
use drydock_reference::{Fetcher, ReferenceSettings};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Made, make_drivers, open_store, part};
use crate::settings::Settings;

/// An engine at work on one design.
pub struct Direct {
    /// Where its tasks are.
    pub store: Arc<dyn Store>,
    /// Its time.
    pub clock: Arc<dyn Clock>,
    /// Its ids.
    pub ids: Arc<dyn IdSource>,
    /// How tasks name the design.
    pub design_ref: String,
    /// The design.
    pub site: Arc<CompiledSite>,
    attended: Vec<Arc<dyn Attended>>,
    stop: CancellationToken,
    tasks: JoinSet<Result<()>>,
    /// Where the store is. Not in memory: such a database is gone with its one connection, and a call that is given up halfway ends that.
    _folder: TempDir,
}

impl Direct {
    /// Checks the settings, makes the drivers, reads the design and starts the engine. Nothing is sent to a controller yet.
    ///
    /// # Errors
    /// What is missing or refused, with the setting concerned, or what is wrong with the design.
    pub async fn start(settings: &Settings, sources: &[Source]) -> Result<Self> {
        let mut settings = settings.clone();
        let folder = tempfile::tempdir().context("no folder for the store")?;
        let file = folder.path().join("drydock.db");
        settings.database.url = format!("sqlite://{}", file.display()).into();
        if settings.drivers.maas.url.is_none() {
            // Nobody is there to say which machines are its own controllers; nothing else here needs a provisioner.
            settings.drivers.node = None;
        }
        settings.check()?;
        let Made {
            drivers, attended, ..
        } = make_drivers(&settings).await?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let ids: Arc<dyn IdSource> = Arc::new(RandomIds);
        let store = open_store(&settings, Arc::clone(&clock)).await?;
        let references: Arc<dyn References> =
            Arc::new(Fetcher::new(ReferenceSettings::default()).context("references")?);
        let ingester: Arc<dyn Ingester> = Arc::new(DesignIngester::default());
        let designs = Designs::new(Arc::clone(&store), ingester, references).with_rules(Options {
            levels: settings.rules.levels.clone(),
            oob_types: Some(settings.drivers.oob.iter().cloned().collect()),
            ..Options::DEFAULT
        });
        let designs = Arc::new(designs);
        let id = DesignId(ids.uuid());
        let design = store.create_design(id, None).await?;
        store
            .replace_sources(id, design.revision, sources)
            .await
            .context("the design cannot be kept")?;
        let design_ref = format!("design:{id}");
        let site = designs.resolve(&design_ref).await?;
        let engine = Engine::new(Parts {
            store: Arc::clone(&store),
            designs,
            drivers: Arc::new(drivers),
            clock: Arc::clone(&clock),
            ids: Arc::clone(&ids),
            settings: settings.engine_settings(),
        });
        let stop = CancellationToken::new();
        let mut tasks: JoinSet<Result<()>> = JoinSet::new();
        let engine_stop = stop.clone();
        tasks.spawn(async move { engine.run(engine_stop).await.context("the engine stopped") });
        Ok(Direct {
            store,
            clock,
            ids,
            design_ref,
            site,
            attended,
            stop,
            tasks,
            _folder: folder,
        })
    }

    /// Until the engine ends by itself.
    ///
    /// # Errors
    /// Why it ended.
    pub async fn ended(&mut self) -> Result<()> {
        match self.tasks.join_next().await {
            Some(ended) => ended?,
            None => bail!("the engine has ended"),
        }
    }

    /// Ends what is under way and closes the sessions with the controllers, so that they have their slots free again.
    ///
    /// # Errors
    /// What could not be ended in order.
    pub async fn stop(mut self) -> Result<()> {
        self.stop.cancel();
        let mut result = Ok(());
        while let Some(ended) = self.tasks.join_next().await {
            result = result.and(ended.map_err(anyhow::Error::from).and_then(|inner| inner));
        }
        // A controller that does not answer any more cannot be told.
        let _ = tokio::time::timeout(PARTING, part(&self.attended)).await;
        result
    }
}

/// How long the end waits for controllers that are slow to say goodbye.
const PARTING: Duration = Duration::from_secs(10);
