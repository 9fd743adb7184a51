//! The composition root: settings in, a running server out. The one place that names concrete stores, drivers and ingesters.

pub mod database;
pub mod direct;
mod metrics;
mod oob;

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail};
use drydock_api::server::{Api, ApiHandle};
use drydock_api::state::{ApiState, HealthCache};
use drydock_design::rules::Options;
use drydock_drivers::allow::AllowNetworks;
use drydock_drivers::credential;
use drydock_drivers::ipmi::IpmiDriver;
use drydock_drivers::libvirt::LibvirtDriver;
use drydock_drivers::maas::{MaasDriver, MaasSettings};
use drydock_drivers::manual::ManualDriver;
use drydock_drivers::oob::{Attended, Budget};
use drydock_drivers::redfish::RedfishDriver;
use drydock_ingester::DesignIngester;
use drydock_model::clock::Clock;
use drydock_model::driver::{Driver, NodeProvisioner};
use drydock_model::id::IdSource;
use drydock_model::ingest::Ingester;
use drydock_model::reference::References;
use drydock_model::store::Store;
use drydock_orchestrator::boot::service::BootService;
use drydock_orchestrator::designs::Designs;
use drydock_orchestrator::drivers::DriverSet;
use drydock_orchestrator::engine::{Engine, Parts};
use drydock_orchestrator::system::{RandomIds, SystemClock};
use drydock_reference::{Fetcher, KeystoneSettings, ReferenceSettings};
use secrecy::{ExposeSecret, SecretString};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::sandbox::{Limits, Sandbox, this_program};
use crate::settings::{Keystone, Settings};
use metrics::Numbers;
use oob::{ipmi_settings, libvirt_settings, redfish_settings};

/// A running server: API and engine.
pub struct Server {
    /// Where the API listens.
    pub address: SocketAddr,
    api: ApiHandle,
    attended: Vec<Arc<dyn Attended>>,
    sandbox: Arc<Sandbox>,
    stop: CancellationToken,
    tasks: JoinSet<Result<()>>,
}

impl Server {
    /// Checks the settings, makes the drivers, listens, opens the store, and starts the engine. What is refused is refused before anything is
    /// written.
    ///
    /// # Errors
    /// What is missing or refused, with the setting concerned.
    pub async fn start(settings: &Settings) -> Result<Self> {
        settings.check()?;
        let Made {
            drivers,
            provisioner,
            attended,
        } = make_drivers(settings).await?;
        let references: Arc<dyn References> =
            Arc::new(Fetcher::new(reference_settings(settings).await?).context("references")?);
        let (listener, address) =
            drydock_api::server::bind(settings.api.listen).context("the API cannot listen")?;
        let public = settings.public_url(address);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let ids: Arc<dyn IdSource> = Arc::new(RandomIds);
        let store = open_store(settings, Arc::clone(&clock)).await?;
        let ingester: Arc<dyn Ingester> = Arc::new(DesignIngester::default());
        let mut designs = Designs::new(Arc::clone(&store), ingester, Arc::clone(&references))
            .with_rules(Options {
                levels: settings.rules.levels.clone(),
                oob_types: Some(settings.drivers.oob.iter().cloned().collect()),
                ..Options::DEFAULT
            })
            .with_cache_bytes(settings.design.cache_bytes);
        if let Some(provisioner) = &provisioner {
            designs = designs.with_provisioner(Arc::clone(provisioner), Arc::clone(&clock));
        }
        let designs = Arc::new(designs);
        let program =
            this_program().context("the file of this program, which renders templates")?;
        let sandbox = Arc::new(Sandbox::new(program, Limits::SERVER));
        let engine = Engine::new(Parts {
            store: Arc::clone(&store),
            designs: Arc::clone(&designs),
            drivers: Arc::new(drivers),
            clock: Arc::clone(&clock),
            ids: Arc::clone(&ids),
            settings: settings.engine_settings(),
        });
        let state = Arc::new(ApiState {
            store: Arc::clone(&store),
            designs: Arc::clone(&designs),
            boot: BootService::new(
                Arc::clone(&store),
                Arc::clone(&designs),
                Arc::clone(&references),
                Arc::clone(&sandbox) as _,
                format!("{public}/api/v1.0/bootactions/"),
            ),
            provisioner,
            clock: Arc::clone(&clock),
            ids: Arc::clone(&ids),
            max_body: settings.api.max_body,
            health: HealthCache::default(),
            metrics: Some(Arc::new(Numbers {
                attended: attended.clone(),
                engine: engine.clone(),
                store: Arc::clone(&store),
            })),
        });
        let server = Api::new(listener, state).context("the API cannot be served")?;
        let api = server.handle();
        let stop = CancellationToken::new();
        let mut tasks: JoinSet<Result<()>> = JoinSet::new();
        tasks.spawn(async move { server.run().await.context("the API stopped") });
        let engine_stop = stop.clone();
        tasks.spawn(async move { engine.run(engine_stop).await.context("the engine stopped") });
        info!(%address, public_url = %public, "serving");
        Ok(Server {
            address,
            api,
            attended,
            sandbox,
            stop,
            tasks,
        })
    }

    /// Until a part of the server ends by itself.
    ///
    /// # Errors
    /// Why it ended.
    pub async fn ended(&mut self) -> Result<()> {
        match self.tasks.join_next().await {
            Some(Ok(result)) => result,
            Some(Err(error)) => Err(error.into()),
            None => Ok(()),
        }
    }

    /// Drains: no new work, calls in flight end, claims and leadership are given back, requests are answered.
    ///
    /// # Errors
    /// What could not be ended in order.
    pub async fn stop(mut self) -> Result<()> {
        self.stop.cancel();
        self.api.stop().await;
        let mut result = Ok(());
        while let Some(ended) = self.tasks.join_next().await {
            result = result.and(ended.map_err(anyhow::Error::from).and_then(|inner| inner));
        }
        self.sandbox.stop().await;
        part(&self.attended).await;
        info!("stopped");
        result
    }
}

/// Opens the store that the settings name.
///
/// # Errors
/// Why it cannot be opened.
pub async fn open_store(settings: &Settings, clock: Arc<dyn Clock>) -> Result<Arc<dyn Store>> {
    let url = secret("database.url", settings.database.url.written()).await?;
    let options = drydock_statemgmt::Options {
        pool_size: settings.database.pool_size,
        connect_timeout: settings.database.connect_timeout.into(),
        clock,
    };
    drydock_statemgmt::open(url.expose_secret(), options)
        .await
        .context("database.url")
}

struct Made {
    drivers: DriverSet,
    provisioner: Option<Arc<dyn NodeProvisioner>>,
    attended: Vec<Arc<dyn Attended>>,
}

/// Closes the sessions with all controllers, so that they have their slots free again.
async fn part(attended: &[Arc<dyn Attended>]) {
    let mut parting = JoinSet::new();
    for driver in attended.iter().map(Arc::clone) {
        parting.spawn(async move { driver.shutdown().await });
    }
    while parting.join_next().await.is_some() {}
}

async fn make_drivers(settings: &Settings) -> Result<Made> {
    let allow = AllowNetworks::from_setting(settings.drivers.allow_networks.clone());
    let mut oob: Vec<Arc<dyn Driver>> = Vec::new();
    let budget = Budget::of(settings.oob.in_flight);
    let mut attended: Vec<Arc<dyn Attended>> = Vec::new();
    for name in &settings.drivers.oob {
        match name.as_str() {
            "ipmi" => {
                let driver = Arc::new(IpmiDriver::new(
                    ipmi_settings(settings, &budget).await?,
                    allow.clone(),
                ));
                attended.push(Arc::clone(&driver) as _);
                oob.push(driver);
            }
            "redfish" => {
                let redfish = redfish_settings(settings, &budget)?;
                let driver = Arc::new(RedfishDriver::new(redfish, allow.clone())?);
                attended.push(Arc::clone(&driver) as _);
                oob.push(driver);
            }
            "libvirt" => {
                let libvirt = libvirt_settings(settings, &budget);
                let driver = Arc::new(LibvirtDriver::new(libvirt, allow.clone()));
                attended.push(Arc::clone(&driver) as _);
                oob.push(driver);
            }
            "manual" => oob.push(Arc::new(ManualDriver::new())),
            other => bail!(
                "drivers.oob: there is no out-of-band driver {other:?} in this version; there are ipmi, redfish, libvirt, manual"
            ),
        }
    }
    let provisioner: Option<Arc<dyn NodeProvisioner>> = match settings.drivers.node.as_deref() {
        None | Some("" | "none") => None,
        Some("maas") => match (&settings.drivers.maas.url, &settings.drivers.maas.api_key) {
            (Some(url), Some(key)) => {
                let maas = &settings.drivers.maas;
                let url = url
                    .parse()
                    .with_context(|| format!("drivers.maas.url {url:?} is no URL"))?;
                let key = secret("drivers.maas.api_key", key).await?;
                let driver = MaasDriver::new(
                    MaasSettings {
                        ca_file: maas.ca_file.clone(),
                        max_requests: settings.limits.maas_requests,
                        poll: maas.poll_interval.into(),
                        ..MaasSettings::new(url, key)
                    },
                    allow,
                )
                .context("drivers.maas")?;
                Some(Arc::new(driver))
            }
            (Some(_), None) => bail!("drivers.maas.url is set and drivers.maas.api_key is not"),
            (None, _) => {
                warn!(
                    "drivers.maas.url is not set: every step of the node provisioner will fail until it is"
                );
                None
            }
        },
        Some(other) => {
            bail!("drivers.node: there is no node driver {other:?} in this version; there is maas")
        }
    };
    let drivers = DriverSet {
        oob,
        node: provisioner.clone(),
        network: None,
    };
    Ok(Made {
        drivers,
        provisioner,
        attended,
    })
}

async fn reference_settings(settings: &Settings) -> Result<ReferenceSettings> {
    Ok(ReferenceSettings {
        allow_refs: settings.design.allow_refs.clone(),
        map: settings.references.map.clone(),
        keystone: keystone_settings(&settings.references.keystone).await?,
        ..ReferenceSettings::default()
    })
}

/// The login at Keystone, if there is to be one: all of it or none.
async fn keystone_settings(keystone: &Keystone) -> Result<Option<KeystoneSettings>> {
    let Keystone {
        auth_url,
        username,
        password,
        project,
        ..
    } = keystone;
    let (Some(auth_url), Some(username), Some(password), Some(project)) =
        (auth_url, username, password, project)
    else {
        let keys = [
            ("auth_url", auth_url.is_some()),
            ("username", username.is_some()),
            ("password", password.is_some()),
            ("project", project.is_some()),
        ];
        let first = |wanted: bool| keys.iter().find(|(_, set)| *set == wanted);
        let (Some((set, _)), Some((missing, _))) = (first(true), first(false)) else {
            return Ok(None);
        };
        bail!("references.keystone.{set} is set and references.keystone.{missing} is not");
    };
    Ok(Some(KeystoneSettings {
        auth_url: auth_url.clone(),
        username: username.clone(),
        password: secret("references.keystone.password", password).await?,
        user_domain: keystone.user_domain.clone(),
        project: project.clone(),
        project_domain: keystone.project_domain.clone(),
        ca_file: keystone.ca_file.clone(),
    }))
}

/// A secret of the settings: itself, or where it stands (`env:NAME`, `file:PATH`).
async fn secret(key: &str, written: &SecretString) -> Result<SecretString> {
    credential::look_up(written)
        .await
        .map_err(|missing| anyhow!("{key}: {}: {}", missing.place, missing.got))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keystone() -> Keystone {
        Keystone {
            auth_url: Some("http://127.0.0.1:5000/v3".into()),
            username: Some("drydock".into()),
            password: Some("s3cr3t".into()),
            project: Some("service".into()),
            ..Keystone::default()
        }
    }

    #[tokio::test]
    async fn a_login_is_whole_or_absent() -> Result<()> {
        assert!(keystone_settings(&Keystone::default()).await?.is_none());
        let login = keystone_settings(&keystone()).await?;
        let login = login.context("a login")?;
        assert_eq!(login.password.expose_secret(), "s3cr3t");
        assert_eq!(login.user_domain, "Default");
        type Spoil = fn(&mut Keystone);
        let cases: [(&str, Spoil); 4] = [
            ("auth_url", |keystone| keystone.auth_url = None),
            ("username", |keystone| keystone.username = None),
            ("password", |keystone| keystone.password = None),
            ("project", |keystone| keystone.project = None),
        ];
        for (key, spoil) in cases {
            let mut keystone = keystone();
            spoil(&mut keystone);
            let error = keystone_settings(&keystone).await.expect_err(key);
            let said = format!("references.keystone.{key} is not");
            assert!(error.to_string().contains(&said), "{error}");
        }
        Ok(())
    }

    #[tokio::test]
    async fn the_password_is_looked_up_where_it_is_said_to_stand() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("password");
        std::fs::write(&file, "s3cr3t\n")?;
        let mut keystone = keystone();
        keystone.password = Some(format!("file:{}", file.display()).into());
        let login = keystone_settings(&keystone).await?.context("a login")?;
        assert_eq!(login.password.expose_secret(), "s3cr3t");
        keystone.password = Some("env:DRYDOCK_TEST_NOT_SET".into());
        let error = keystone_settings(&keystone).await.expect_err("no variable");
        assert!(
            error
                .to_string()
                .starts_with("references.keystone.password"),
            "{error}"
        );
        Ok(())
    }
}
