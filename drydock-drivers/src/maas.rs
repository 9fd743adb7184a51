//! The MaaS driver: nodes commissioned, configured, deployed and released through MaaS's 2.0 API.
//!
//! Built on the contract measured on running 3.4 and 3.6 servers. It reads a machine once a look, writes only what
//! differs, signs every attempt afresh, and keeps the number of requests in flight bounded.

mod client;
mod commission;
mod credentials;
mod deploy;
mod destroy;
mod form;
mod hardware;
mod identify;
mod lookup;
mod naming;
mod network_template;
mod node_networking;
mod node_storage;
mod oauth;
mod platform;
mod progress;
mod redaction;
mod redeploy;
mod region;
mod repositories;
mod resource;
mod services;
mod shared;
mod status;
mod tagging;
#[cfg(test)]
mod trial;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use drydock_model::change::{Change, JournalEntry};
use drydock_model::driver::{
    Driver, DriverError, DriverKind, Machine, NodeProvisioner, Observation, StepContext, StepPlan,
};
use drydock_model::step::StepAction;
use secrecy::SecretString;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use self::client::Client;
use self::lookup::{Place, find};
use self::region::Region;
use self::resource::{MachineResource, UserResource};
use crate::allow::AllowNetworks;

/// Settings of the MaaS driver (`drivers.maas`, `limits.maas_requests`).
#[derive(Clone)]
pub struct MaasSettings {
    /// URL of the region, ending in `/MAAS`.
    pub url: Url,
    /// `consumer_key:token_key:token_secret` of an administrator.
    pub api_key: SecretString,
    /// PEM file with the certificates to trust; `None`: the system's.
    pub ca_file: Option<PathBuf>,
    /// Requests in flight at most. A region serves 4 for each of its workers, 16 by default.
    pub max_requests: usize,
    /// How often to look while MaaS is at work.
    pub poll: Duration,
    /// Limit for making a connection.
    pub connect_timeout: Duration,
    /// Limit for each wait for a part of an answer.
    pub read_timeout: Duration,
}

impl MaasSettings {
    /// The defaults: 12 requests, a look every 10 s, 5 s to connect, 60 s to read.
    #[must_use]
    pub fn new(url: Url, api_key: SecretString) -> Self {
        MaasSettings {
            url,
            api_key,
            ca_file: None,
            max_requests: 12,
            poll: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(5),
            read_timeout: Duration::from_secs(60),
        }
    }
}

impl fmt::Debug for MaasSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MaasSettings")
            .field("url", &self.url.host_str())
            .field("ca_file", &self.ca_file)
            .field("max_requests", &self.max_requests)
            .field("poll", &self.poll)
            .field("connect_timeout", &self.connect_timeout)
            .field("read_timeout", &self.read_timeout)
            .finish_non_exhaustive()
    }
}

/// The driver. One for a region; shared by all steps.
pub struct MaasDriver {
    region: Region,
    poll: Duration,
}

impl MaasDriver {
    /// Checks the settings. Nothing is sent yet.
    ///
    /// # Errors
    /// Which setting is wrong.
    pub fn new(settings: MaasSettings, allow: AllowNetworks) -> Result<Self, DriverError> {
        let client = Client::new(&settings, allow)?;
        Ok(MaasDriver {
            region: Region::new(client),
            poll: settings.poll,
        })
    }

    async fn place(&self, cx: &StepContext) -> Result<Place, DriverError> {
        Ok(find(&self.region, cx.node()?).await?.place())
    }

    fn plan_node(
        &self,
        cx: &StepContext,
        observed: &Observation,
        journal: &[JournalEntry],
    ) -> Result<StepPlan, DriverError> {
        use StepAction as A;
        let node = cx.node()?;
        Ok(match cx.action {
            A::InterrogateNode => lookup::told(node, &seen(cx, observed)?),
            A::IdentifyNode => identify::plan(cx, node, &seen(cx, observed)?, self.poll),
            A::ConfigureHardware => {
                commission::plan(node, &seen(cx, observed)?, journal, self.poll)
            }
            A::ApplyNodeNetworking => {
                node_networking::plan(&cx.design, node, &seen(cx, observed)?, journal, self.poll)
            }
            A::ApplyNodeStorage => {
                node_storage::plan(node, &seen(cx, observed)?, journal, self.poll)
            }
            A::ApplyNodePlatform => platform::plan(node, &seen(cx, observed)?),
            A::DeployNode => deploy::plan(node, &seen(cx, observed)?, journal, self.poll),
            A::DestroyNode => destroy::plan(node, &seen(cx, observed)?, journal, self.poll),
            _ => return Err(foreign(cx)),
        })
    }

    fn plan_site(&self, cx: &StepContext, observed: &Observation) -> Result<StepPlan, DriverError> {
        use StepAction as A;
        Ok(match cx.action {
            A::ValidateNodeServices => services::plan(cx, &seen(cx, observed)?),
            A::CreateNetworkTemplate => network_template::plan(&cx.design, &seen(cx, observed)?),
            A::ConfigureUserCredentials => credentials::plan(&cx.design.site, &seen(cx, observed)?),
            A::ConfigureNodeProvisioner => {
                repositories::plan(&cx.design.site, &seen(cx, observed)?)
            }
            A::CreateStorageTemplate => {
                StepPlan::done("MaaS keeps no storage templates: each node's storage is its own")
            }
            A::CreateBootMedia => {
                StepPlan::done("MaaS imports its boot images itself: nothing to do")
            }
            A::PrepareHardwareConfig => {
                StepPlan::done("MaaS brings its own commissioning scripts: nothing to do")
            }
            _ => return self.plan_node(cx, observed, &[]),
        })
    }
}

#[async_trait]
impl Driver for MaasDriver {
    fn name(&self) -> &'static str {
        "maas"
    }

    fn kind(&self) -> DriverKind {
        DriverKind::Node
    }

    async fn observe(&self, cx: &StepContext) -> Result<Observation, DriverError> {
        use StepAction as A;
        let region = &self.region;
        match cx.action {
            A::ValidateNodeServices => observation(cx, &services::observe(region, cx).await?),
            A::CreateNetworkTemplate => {
                observation(cx, &network_template::observe(region, cx).await?)
            }
            A::ConfigureUserCredentials => {
                observation(cx, &credentials::observe(region, cx).await?)
            }
            A::ConfigureNodeProvisioner => {
                observation(cx, &repositories::observe(region, cx).await?)
            }
            A::CreateStorageTemplate | A::CreateBootMedia | A::PrepareHardwareConfig => {
                Ok(Observation(Value::Null))
            }
            A::IdentifyNode => observation(cx, &identify::observe(region, cx).await?),
            A::ApplyNodePlatform => observation(cx, &platform::observe(region, cx).await?),
            A::DeployNode => observation(cx, &deploy::observe(region, cx).await?),
            A::ApplyNodeNetworking => observation(cx, &node_networking::observe(region, cx).await?),
            A::ApplyNodeStorage => observation(cx, &node_storage::observe(region, cx).await?),
            A::ConfigureHardware | A::DestroyNode => observation(cx, &self.place(cx).await?),
            A::InterrogateNode => observation(cx, &lookup::look(region, cx.node()?).await?),
            _ => Err(foreign(cx)),
        }
    }

    fn plan(&self, cx: &StepContext, observed: &Observation, journal: &[JournalEntry]) -> StepPlan {
        let of_node = matches!(
            cx.action,
            StepAction::IdentifyNode
                | StepAction::InterrogateNode
                | StepAction::ConfigureHardware
                | StepAction::ApplyNodeNetworking
                | StepAction::ApplyNodeStorage
                | StepAction::ApplyNodePlatform
                | StepAction::DeployNode
                | StepAction::DestroyNode
        );
        let plan = if of_node {
            self.plan_node(cx, observed, journal)
        } else {
            self.plan_site(cx, observed)
        };
        plan.unwrap_or_else(StepPlan::fail)
    }

    async fn apply(&self, cx: &StepContext, change: &Change) -> Result<String, DriverError> {
        use StepAction as A;
        let region = &self.region;
        match cx.action {
            A::CreateNetworkTemplate => network_template::apply(region, cx, change).await,
            A::ConfigureUserCredentials => credentials::apply(region, cx, change).await,
            A::ConfigureNodeProvisioner => repositories::apply(region, cx, change).await,
            A::IdentifyNode => identify::apply(region, cx, change).await,
            A::ConfigureHardware => commission::apply(region, cx, change).await,
            A::ApplyNodeNetworking => node_networking::apply(region, cx, change).await,
            A::ApplyNodeStorage => node_storage::apply(region, cx, change).await,
            A::ApplyNodePlatform => platform::apply(region, cx, change).await,
            A::DeployNode => deploy::apply(region, cx, change).await,
            A::DestroyNode => destroy::apply(region, cx, change).await,
            _ => Err(progress::unknown_verb(change)),
        }
    }
}

#[async_trait]
impl NodeProvisioner for MaasDriver {
    async fn machines(&self) -> Result<Vec<Machine>, DriverError> {
        let machines: Vec<MachineResource> = self.region.client.get("machines/").await?;
        let power = self.region.power().await?;
        Ok(machines
            .into_iter()
            .map(|machine| {
                let boot = machine.boot_interface.as_ref();
                Machine {
                    power_address: power
                        .get(&machine.system_id)
                        .map(|power| power.power_address.clone())
                        .filter(|address| !address.is_empty()),
                    boot_mac: boot.and_then(|interface| interface.mac_address.clone()),
                    boot_ip: boot.and_then(|interface| {
                        interface
                            .links
                            .iter()
                            .find_map(|link| link.ip_address.clone())
                    }),
                    hostname: machine.hostname,
                    memory: machine.memory,
                    cpu_count: machine.cpu_count,
                    status_name: machine.status_name,
                    power_state: machine.power_state,
                }
            })
            .collect())
    }

    async fn health(&self) -> Result<(), DriverError> {
        // `version/` answers anybody; only this tells whether the credentials are taken.
        self.region
            .client
            .get::<UserResource>("users/?op=whoami")
            .await
            .map(|_| ())
    }

    async fn images(&self) -> Result<BTreeMap<String, BTreeSet<String>>, DriverError> {
        services::images(&self.region.client).await
    }
}

fn observation(cx: &StepContext, seen: &impl Serialize) -> Result<Observation, DriverError> {
    serde_json::to_value(seen)
        .map(Observation)
        .map_err(|error| unreadable(cx, &error))
}

fn seen<T: DeserializeOwned>(cx: &StepContext, observed: &Observation) -> Result<T, DriverError> {
    T::deserialize(&observed.0).map_err(|error| unreadable(cx, &error))
}

fn unreadable(cx: &StepContext, error: &serde_json::Error) -> DriverError {
    DriverError::permanent(
        cx.action.as_str(),
        "an observation",
        format!("it is not of the shape that this driver observes: {error}"),
        "report this as a defect",
    )
}

fn foreign(cx: &StepContext) -> DriverError {
    DriverError::permanent(
        cx.action.as_str(),
        "the maas driver",
        "a node driver has no such action",
        "report this as a defect",
    )
}
