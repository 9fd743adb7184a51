//! Settings of the engine, as plain values.

use std::time::Duration;

use drydock_model::step::StepAction;

/// How long an instance trusts in what it holds after it said last that it lives: four fifths of the grace, for the last fifth is for the call that
/// follows a check, less what clocks may differ.
#[must_use]
pub fn trust(grace: Duration, skew: Duration) -> Duration {
    grace.mul_f64(0.8).saturating_sub(skew)
}

/// How the engine goes about its work.
#[derive(Clone, Debug)]
pub struct EngineSettings {
    /// A leader or an instance that was silent for longer has lost its place or its claims.
    pub grace_period: Duration,
    /// How often leadership is claimed or renewed.
    pub claim_interval: Duration,
    /// How far the store's clock and an instance's may differ: an instance stops by itself so much before its grace ends.
    pub clock_skew: Duration,
    /// How often to look even when nothing woke us.
    pub poll_interval: Duration,
    /// How often an instance says that it lives.
    pub heartbeat: Duration,
    /// Steps in flight in this process.
    pub workers: usize,
    /// First pause after a transient error; doubles with each further one.
    pub retry_base: Duration,
    /// Longest pause after a transient error.
    pub retry_cap: Duration,
    /// Most nodes that one `destroy_nodes` may take; `None`: no limit.
    pub destroy_limit: Option<usize>,
    /// Most nodes begun on and not ended, over all tasks of all instances; `None`: no limit.
    pub nodes_in_flight: Option<u32>,
    /// Deadlines of steps.
    pub timeouts: Timeouts,
}

impl Default for EngineSettings {
    fn default() -> Self {
        EngineSettings {
            grace_period: Duration::from_secs(5),
            claim_interval: Duration::from_secs(1),
            clock_skew: Duration::from_secs(1),
            poll_interval: Duration::from_secs(1),
            heartbeat: Duration::from_secs(1),
            workers: 256,
            retry_base: Duration::from_secs(1),
            retry_cap: Duration::from_secs(30),
            destroy_limit: None,
            nodes_in_flight: None,
            timeouts: Timeouts::default(),
        }
    }
}

/// Deadlines of steps, counted from the first claim.
#[derive(Clone, Debug)]
pub struct Timeouts {
    /// Everything not named below.
    pub drydock: Duration,
    /// `create_network_template`.
    pub create_network_template: Duration,
    /// `configure_user_credentials`.
    pub configure_user_credentials: Duration,
    /// `identify_node`.
    pub identify_node: Duration,
    /// `configure_hardware`.
    pub configure_hardware: Duration,
    /// `apply_node_networking`.
    pub apply_node_networking: Duration,
    /// `apply_node_storage`.
    pub apply_node_storage: Duration,
    /// `apply_node_platform`.
    pub apply_node_platform: Duration,
    /// `deploy_node`.
    pub deploy_node: Duration,
    /// `bootaction_report`.
    pub bootaction_report: Duration,
    /// `destroy_node`.
    pub destroy_node: Duration,
    /// `relabel_node`.
    pub relabel_node: Duration,
    /// What is done by hand: an out-of-band action on a node of `oob.type: manual`.
    pub operator: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        let minutes = |n: u64| Duration::from_secs(60 * n);
        Timeouts {
            drydock: minutes(5),
            create_network_template: minutes(2),
            configure_user_credentials: minutes(2),
            identify_node: minutes(10),
            configure_hardware: minutes(30),
            apply_node_networking: minutes(5),
            apply_node_storage: minutes(5),
            apply_node_platform: minutes(5),
            deploy_node: minutes(45),
            bootaction_report: minutes(15),
            destroy_node: minutes(30),
            relabel_node: minutes(5),
            operator: minutes(24 * 60),
        }
    }
}

impl Timeouts {
    /// The deadline of an action.
    #[must_use]
    pub fn of(&self, action: StepAction) -> Duration {
        use StepAction as A;
        match action {
            A::CreateNetworkTemplate => self.create_network_template,
            A::ConfigureUserCredentials => self.configure_user_credentials,
            A::IdentifyNode => self.identify_node,
            A::ConfigureHardware => self.configure_hardware,
            A::ApplyNodeNetworking => self.apply_node_networking,
            A::ApplyNodeStorage => self.apply_node_storage,
            A::ApplyNodePlatform => self.apply_node_platform,
            A::DeployNode => self.deploy_node,
            A::BootactionReport => self.bootaction_report,
            A::DestroyNode => self.destroy_node,
            _ => self.drydock,
        }
    }
}
