//! Settings: one YAML file, the environment on top, the command line on top of that.

mod check;
mod database_url;
mod duration;
mod load;
mod oob;
mod sample;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use drydock_design::rules::LevelOverride;
use drydock_orchestrator::designs::CACHE_BYTES;
use drydock_orchestrator::settings::{EngineSettings, Timeouts};
use ipnet::IpNet;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

pub use database_url::DatabaseUrl;
pub use duration::Span;
pub use load::{Overlay, load};
pub use oob::Oob;
pub use sample::sample;

/// Everything an operator can set. The sample configuration is made from these types.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The HTTP API.
    pub api: Api,
    /// The database.
    pub database: Database,
    /// Leadership.
    pub leader: Leader,
    /// The engine.
    pub engine: Engine,
    /// Deadlines of steps.
    pub timeouts: StepTimeouts,
    /// Limits.
    pub limits: Limits,
    /// Drivers.
    pub drivers: Drivers,
    /// Out-of-band management.
    pub oob: Oob,
    /// Designs.
    pub design: Design,
    /// References.
    pub references: References,
    /// Rules.
    pub rules: Rules,
    /// Logging.
    pub log: Log,
}

/// `api.*`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Api {
    /// Address and port.
    pub listen: SocketAddr,
    /// What machines call back; from `listen` when absent.
    pub public_url: Option<String>,
    /// Longest request body in bytes.
    pub max_body: usize,
}

impl Default for Api {
    fn default() -> Self {
        Api {
            listen: SocketAddr::from(([127, 0, 0, 1], 9000)),
            public_url: None,
            max_body: 64 * 1024 * 1024,
        }
    }
}

/// `database.*`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Database {
    /// `sqlite://...` or `postgres://...`, or `env:NAME`, or `file:PATH`.
    pub url: DatabaseUrl,
    /// Connections.
    pub pool_size: u32,
    /// How long to wait for one.
    pub connect_timeout: Span,
}

impl Default for Database {
    fn default() -> Self {
        Database {
            url: "sqlite://drydock.db".to_owned().into(),
            pool_size: 15,
            connect_timeout: Span::seconds(30.0),
        }
    }
}

/// `leader.*`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Leader {
    /// A leader or instance that is silent for longer has lost its place.
    #[serde(alias = "leader_grace_period")]
    pub grace_period: Span,
    /// How often leadership is claimed or renewed.
    #[serde(alias = "leadership_claim_interval")]
    pub claim_interval: Span,
    /// How far clocks may differ.
    pub clock_skew: Span,
}

impl Default for Leader {
    fn default() -> Self {
        Leader {
            grace_period: Span::seconds(5.0),
            claim_interval: Span::seconds(1.0),
            clock_skew: Span::seconds(1.0),
        }
    }
}

/// `engine.*`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Engine {
    /// The slow net under the wake-ups.
    pub poll_interval: Span,
    /// Steps in flight in this process.
    pub workers: usize,
    /// How often an instance says that it lives.
    pub heartbeat: Span,
    /// First pause after a transient error; doubles with each further one.
    pub retry_base: Span,
    /// Longest pause after a transient error.
    pub retry_cap: Span,
}

impl Default for Engine {
    fn default() -> Self {
        Engine {
            poll_interval: Span::seconds(1.0),
            workers: 256,
            heartbeat: Span::seconds(1.0),
            retry_base: Span::seconds(1.0),
            retry_cap: Span::seconds(30.0),
        }
    }
}

/// `timeouts.*`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StepTimeouts {
    pub drydock_timeout: Span,
    pub create_network_template: Span,
    pub configure_user_credentials: Span,
    pub identify_node: Span,
    pub configure_hardware: Span,
    pub apply_node_networking: Span,
    pub apply_node_storage: Span,
    pub apply_node_platform: Span,
    pub deploy_node: Span,
    pub bootaction_report: Span,
    pub destroy_node: Span,
    pub relabel_node: Span,
    pub operator: Span,
}

impl Default for StepTimeouts {
    fn default() -> Self {
        let t = Timeouts::default();
        StepTimeouts {
            drydock_timeout: t.drydock.into(),
            create_network_template: t.create_network_template.into(),
            configure_user_credentials: t.configure_user_credentials.into(),
            identify_node: t.identify_node.into(),
            configure_hardware: t.configure_hardware.into(),
            apply_node_networking: t.apply_node_networking.into(),
            apply_node_storage: t.apply_node_storage.into(),
            apply_node_platform: t.apply_node_platform.into(),
            deploy_node: t.deploy_node.into(),
            bootaction_report: t.bootaction_report.into(),
            destroy_node: t.destroy_node.into(),
            relabel_node: t.relabel_node.into(),
            operator: t.operator.into(),
        }
    }
}

/// `limits.*`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Most nodes that one destroy_nodes may take; absent: no limit.
    pub destroy_nodes: Option<usize>,
    /// Most nodes begun on and not ended, over all tasks and servers; absent: no limit.
    pub in_flight_per_site: Option<u32>,
    /// Requests to MaaS in flight.
    pub maas_requests: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            destroy_nodes: None,
            in_flight_per_site: None,
            maas_requests: 12,
        }
    }
}

/// `drivers.*`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Drivers {
    /// Enabled out-of-band drivers, in order.
    pub oob: Vec<String>,
    /// The node provisioner; absent: none.
    pub node: Option<String>,
    /// Settings of the maas driver.
    pub maas: Maas,
    /// Networks that drivers may contact; absent: no limit.
    pub allow_networks: Option<Vec<IpNet>>,
}

impl Default for Drivers {
    fn default() -> Self {
        Drivers {
            oob: vec!["ipmi".into(), "redfish".into(), "manual".into()],
            node: Some("maas".into()),
            maas: Maas::default(),
            allow_networks: None,
        }
    }
}

/// `drivers.maas.*`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Maas {
    /// Ends in `/MAAS`.
    pub url: Option<String>,
    /// `consumer:token:secret`, or `env:NAME`, or `file:PATH`.
    #[serde(serialize_with = "sample::hidden")]
    pub api_key: Option<SecretString>,
    /// Certificates to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// How often to look at a machine that is busy.
    pub poll_interval: Span,
}

impl Default for Maas {
    fn default() -> Self {
        Maas {
            url: None,
            api_key: None,
            ca_file: None,
            poll_interval: Span::seconds(5.0),
        }
    }
}

/// `design.*`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Design {
    /// URL prefixes and folders that references may name; absent: none.
    pub allow_refs: Vec<String>,
    /// Bytes of memory that compiled designs may hold together.
    pub cache_bytes: usize,
}

impl Default for Design {
    fn default() -> Self {
        Design {
            allow_refs: Vec::new(),
            cache_bytes: CACHE_BYTES,
        }
    }
}

/// `references.*`
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct References {
    /// Host to address, or to address:port; applied after the check.
    pub map: BTreeMap<String, String>,
    /// Tokens for `deckhand+` and `promenade+` references.
    pub keystone: Keystone,
}

/// `references.keystone.*`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Keystone {
    /// With or without `/v3`; absent: no tokens.
    pub auth_url: Option<String>,
    /// Who logs in.
    pub username: Option<String>,
    /// The password, or `env:NAME`, or `file:PATH`.
    #[serde(serialize_with = "sample::hidden")]
    pub password: Option<SecretString>,
    /// Name of the user's domain.
    pub user_domain: String,
    /// Name of the project that tokens are for.
    pub project: Option<String>,
    /// Name of the project's domain.
    pub project_domain: String,
    /// Certificates to trust besides the system's.
    pub ca_file: Option<PathBuf>,
}

impl Default for Keystone {
    fn default() -> Self {
        Keystone {
            auth_url: None,
            username: None,
            password: None,
            user_domain: "Default".into(),
            project: None,
            project_domain: "Default".into(),
            ca_file: None,
        }
    }
}

/// `rules.*`
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rules {
    /// Rule id to `error`, `warning`, `info` or `off`.
    pub levels: BTreeMap<String, LevelOverride>,
}

/// `log.*`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// `error`, `warn`, `info`, `debug`, `trace`, or a filter such as `info,drydock_ipmi=debug`.
    pub level: String,
    /// `text` or `json`.
    pub format: LogFormat,
}

impl Default for Log {
    fn default() -> Self {
        Log {
            level: "info".into(),
            format: LogFormat::Text,
        }
    }
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For machines.
    Json,
}

impl Settings {
    /// What machines call back, when the API listens on this address.
    #[must_use]
    pub fn public_url(&self, listening: SocketAddr) -> String {
        self.api
            .public_url
            .clone()
            .unwrap_or_else(|| format!("http://{listening}"))
            .trim_end_matches('/')
            .to_owned()
    }

    /// The engine's share.
    #[must_use]
    pub fn engine_settings(&self) -> EngineSettings {
        let t = &self.timeouts;
        EngineSettings {
            grace_period: self.leader.grace_period.into(),
            claim_interval: self.leader.claim_interval.into(),
            clock_skew: self.leader.clock_skew.into(),
            poll_interval: self.engine.poll_interval.into(),
            heartbeat: self.engine.heartbeat.into(),
            workers: self.engine.workers,
            retry_base: self.engine.retry_base.into(),
            retry_cap: self.engine.retry_cap.into(),
            destroy_limit: self.limits.destroy_nodes,
            nodes_in_flight: self.limits.in_flight_per_site,
            timeouts: Timeouts {
                drydock: t.drydock_timeout.into(),
                create_network_template: t.create_network_template.into(),
                configure_user_credentials: t.configure_user_credentials.into(),
                identify_node: t.identify_node.into(),
                configure_hardware: t.configure_hardware.into(),
                apply_node_networking: t.apply_node_networking.into(),
                apply_node_storage: t.apply_node_storage.into(),
                apply_node_platform: t.apply_node_platform.into(),
                deploy_node: t.deploy_node.into(),
                bootaction_report: t.bootaction_report.into(),
                destroy_node: t.destroy_node.into(),
                relabel_node: t.relabel_node.into(),
                operator: t.operator.into(),
            },
        }
    }
}
