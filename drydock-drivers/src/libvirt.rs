//! The libvirt driver: virtual machines, by the command `virsh` - one process a call, at the URI that the design gives.
//!
//! A node's domain has the node's name. Boot order is part of the domain's description and holds for every start; there is no
//! "once". It counts from the next start on, so a power cycle is off and on here, too, never a reset.
//!
//! One hypervisor is one actor: one command in flight, shared by its domains.

mod domain;
mod uri;
mod virsh;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use drydock_model::driver::{DriverError, ErrorClass};
use drydock_model::effective::Node;
use serde_json::{Map, Value, json};
use tokio::sync::Mutex;

use self::domain::Domain;
use self::uri::HypervisorUri;
use self::virsh::Refusal;
use crate::allow::AllowNetworks;
use crate::oob::account::Account;
use crate::oob::actors::{Actor, Actors};
use crate::oob::gate::{Gate, Held, Lesson};
use crate::oob::meter::Meter;
use crate::oob::pace::Limits;
use crate::oob::{
    Boot, Budget, Controller, Interrogation, OobDriver, Override, Reading, Switched, Timing, Words,
};

/// Among the out-of-band parameters of a node: where its hypervisor is.
const URI: &str = "libvirt_uri";
/// Generator of the build data.
const GENERATOR: &str = "libvirt_inventory";

/// Settings of the libvirt driver (`oob.settle_after_reset`, `oob.state_timeout`).
#[derive(Clone, Debug)]
pub struct LibvirtSettings {
    /// The program; looked for in the PATH unless it is a path.
    pub virsh: String,
    /// How long one call may take: the login at the hypervisor included.
    pub timeout: Duration,
    /// Longest pause between two calls to one hypervisor; one that does not answer gets towards it.
    pub gap_ceiling: Duration,
    /// How many commands may be under way to all controllers together.
    pub budget: Budget,
    /// How long states take.
    pub timing: Timing,
}

impl Default for LibvirtSettings {
    fn default() -> Self {
        LibvirtSettings {
            virsh: "virsh".to_owned(),
            timeout: Duration::from_secs(30),
            gap_ceiling: Duration::from_secs(5),
            budget: Budget::default(),
            timing: Timing {
                settle_after_reset: Duration::from_secs(15),
                state_timeout: Duration::from_secs(60),
                poll: Duration::from_secs(1),
            },
        }
    }
}

/// The driver for `oob.type: libvirt`. One for a process, so that a hypervisor has one actor.
pub type LibvirtDriver = OobDriver<Libvirt>;

impl OobDriver<Libvirt> {
    /// The driver. Nothing is started yet.
    #[must_use]
    pub fn new(settings: LibvirtSettings, allow: AllowNetworks) -> Self {
        let timing = settings.timing;
        let libvirt = Libvirt {
            settings,
            allow,
            actors: Actors::default(),
        };
        OobDriver::of(libvirt, timing)
    }
}

/// Hypervisors that libvirt manages.
pub struct Libvirt {
    settings: LibvirtSettings,
    allow: AllowNetworks,
    actors: Actors<HypervisorUri, Hypervisor>,
}

/// One hypervisor.
struct Hypervisor {
    uri: HypervisorUri,
    meter: Arc<Meter>,
    gate: Mutex<Gate>,
}

/// Why a call to a hypervisor came to nothing.
enum Failure {
    Held(Held),
    Refused(Refusal),
}

impl Hypervisor {
    fn new(uri: HypervisorUri, budget: Budget) -> Self {
        let meter = Arc::<Meter>::default();
        Hypervisor {
            uri,
            gate: Mutex::new(Gate::new(budget, Arc::clone(&meter))),
            meter,
        }
    }

    async fn run(
        &self,
        settings: &LibvirtSettings,
        arguments: &[&str],
        input: Option<&str>,
    ) -> Result<String, Failure> {
        let limits = Limits {
            floor: Duration::ZERO,
            ceiling: settings.gap_ceiling,
        };
        // Logged in by key: who asks is all there is to tell.
        let account = Account {
            user: self.uri.user.clone(),
            password: String::new().into(),
        };
        let mut gate = self.gate.lock().await;
        let _place = gate.pass(limits, &account).await.map_err(Failure::Held)?;
        let virsh = &settings.virsh;
        let outcome = virsh::run(virsh, &self.uri, arguments, input, settings.timeout).await;
        match &outcome {
            Err(Refusal::NotAdmitted(_)) => gate.refused(&account),
            Ok(_) => gate.not_refused(&account),
            Err(_) => {}
        }
        let lesson = match &outcome {
            Err(Refusal::TimedOut(_) | Refusal::Unreachable(_)) => Lesson::Silent,
            Err(Refusal::Busy(_)) => Lesson::Busy,
            _ => Lesson::Answered,
        };
        if gate.learn(limits, lesson) {
            tracing::warn!(hypervisor = %self.uri, "the hypervisor is left alone for a while");
        }
        outcome.map_err(Failure::Refused)
    }
}

#[async_trait]
impl Actor for Hypervisor {
    /// There is no session: each call is a process of its own.
    async fn close(&self) {
        drop(self.gate.lock().await);
    }

    async fn close_if_idle(&self, _: Duration) {}

    fn reading(&self) -> Option<Reading> {
        Some(self.meter.reading(self.uri.to_string()))
    }
}

impl Libvirt {
    fn uri(&self, node: &Node, tried: &str) -> Result<HypervisorUri, DriverError> {
        let refuse = |got: String| {
            DriverError::permanent(
                tried,
                format!("the hypervisor of {}", node.name),
                got,
                format!(
                    "set oob.{URI} of {} to qemu+ssh://USER@ADDRESS/system",
                    node.name
                ),
            )
        };
        let written = node.oob.params.get(URI);
        let written = written.ok_or_else(|| refuse(format!("the design gives no oob.{URI}")))?;
        if node.name.parse::<u64>().is_ok() {
            // virsh takes a number for the id of a running domain, whatever its name.
            return Err(refuse("a domain cannot be named by a number".to_owned()));
        }
        HypervisorUri::parse(written, &self.allow)
            .map_err(|why| refuse(format!("oob.{URI} is not one to be used: {why}")))
    }

    /// One call of virsh about the node's domain. The outer error is ours; the inner one is virsh's.
    async fn call(
        &self,
        node: &Node,
        tried: &str,
        arguments: &[&str],
        input: Option<&str>,
    ) -> Result<Result<String, Refusal>, DriverError> {
        let uri = self.uri(node, tried)?;
        let target = target(node, &uri);
        let make = || Hypervisor::new(uri.clone(), self.settings.budget.clone());
        let hypervisor = self.actors.of(uri.clone(), make);
        match hypervisor.run(&self.settings, arguments, input).await {
            Ok(said) => Ok(Ok(said)),
            Err(Failure::Refused(refusal)) => Ok(Err(refusal)),
            Err(Failure::Held(held)) => Err(held.into_error(tried, &target)),
        }
    }

    async fn ask(
        &self,
        node: &Node,
        tried: &str,
        arguments: &[&str],
    ) -> Result<String, DriverError> {
        self.call(node, tried, arguments, None)
            .await?
            .map_err(|refusal| self.failed(node, tried, &refusal))
    }

    /// The domain's description as it is from its next start on, secrets included: without them, defining it anew would lose them.
    async fn description(&self, node: &Node, tried: &str) -> Result<String, DriverError> {
        let domain = argument(node);
        let arguments = ["dumpxml", "--inactive", "--security-info", &domain];
        self.ask(node, tried, &arguments).await
    }

    async fn facts(&self, node: &Node, tried: &str) -> Result<Map<String, Value>, DriverError> {
        let said = self.ask(node, tried, &["dominfo", &argument(node)]).await?;
        let facts = said.lines().filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            Some((name.trim().to_owned(), Value::from(value.trim())))
        });
        Ok(facts.collect())
    }

    fn failed(&self, node: &Node, tried: &str, refusal: &Refusal) -> DriverError {
        let (class, advice) = match refusal {
            Refusal::NoVirsh(_) => (
                ErrorClass::Permanent,
                "install virsh (Debian: libvirt-clients) where the server runs",
            ),
            Refusal::TimedOut(_) | Refusal::Unreachable(_) | Refusal::Busy(_) => {
                (ErrorClass::Transient, "")
            }
            Refusal::NotAdmitted(_) => (
                ErrorClass::Auth,
                "let the server's SSH key in at the hypervisor, and its host key be known; it is not tried again",
            ),
            Refusal::NoDomain(_) => (
                ErrorClass::Permanent,
                "define a domain of the node's name, or correct oob.libvirt_uri",
            ),
            Refusal::SoAlready(_) | Refusal::Other(_) => {
                (ErrorClass::Permanent, "see what libvirt says")
            }
        };
        let target = match self.uri(node, tried) {
            Ok(uri) => target(node, &uri),
            Err(error) => return error,
        };
        DriverError::new(class, tried, target, refusal.to_string(), advice)
    }

    fn odd(&self, node: &Node, tried: &str, got: String, advice: &str) -> DriverError {
        let target = match self.uri(node, tried) {
            Ok(uri) => target(node, &uri),
            Err(error) => return error,
        };
        DriverError::permanent(tried, target, got, advice)
    }
}

/// The node's domain, as an argument that can be taken for nothing else.
fn argument(node: &Node) -> String {
    format!("--domain={}", node.name)
}

fn target(node: &Node, uri: &HypervisorUri) -> String {
    format!("domain {} at {uri}", node.name)
}

/// Whether a domain in this state (`virsh domstate`) holds its memory and its processors. One that crashed and is kept does.
fn is_on(state: &str) -> Option<bool> {
    match state {
        "running" | "idle" | "paused" | "in shutdown" | "crashed" | "dying" | "pmsuspended" => {
            Some(true)
        }
        "shut off" => Some(false),
        _ => None,
    }
}

#[async_trait]
impl Controller for Libvirt {
    fn words(&self) -> Words {
        Words {
            name: "libvirt",
            title: "libvirt",
            controller: "domain",
            target: "domain",
            generator: GENERATOR,
        }
    }

    fn address(&self, node: &Node, tried: &str) -> Result<String, DriverError> {
        let uri = self.uri(node, tried)?;
        Ok(format!("{} at {uri}", node.name))
    }

    async fn power(&self, node: &Node) -> Result<bool, DriverError> {
        let tried = "read power state";
        let said = self
            .ask(node, tried, &["domstate", &argument(node)])
            .await?;
        is_on(&said).ok_or_else(|| {
            let got = format!("the domain's state is {said:?}");
            self.odd(node, tried, got, "look at the domain by hand")
        })
    }

    async fn boot(&self, node: &Node) -> Result<Boot, DriverError> {
        let tried = "read boot order";
        let text = self.description(node, tried).await?;
        let domain = Domain::parse(&text, node.boot_mac.as_deref());
        domain
            .map(|domain| domain.boot())
            .map_err(|why| self.odd(node, tried, why, "look at the domain by hand"))
    }

    async fn set_power(&self, node: &Node, on: bool) -> Result<Switched, DriverError> {
        let domain = argument(node);
        let (tried, arguments) = if on {
            // A saved state would be gone on with in place of a boot.
            ("power on", ["start", "--force-boot", &domain].to_vec())
        } else {
            ("power off", ["destroy", &domain].to_vec())
        };
        if !on {
            let facts = self.facts(node, tried).await?;
            if facts.get("Persistent").and_then(Value::as_str) == Some("no") {
                let got = "the domain is transient: switched off, it would be gone".to_owned();
                return Err(self.odd(node, tried, got, "define it persistently"));
            }
        }
        match self.call(node, tried, &arguments, None).await? {
            Ok(_) => Ok(Switched::Acknowledged),
            Err(Refusal::SoAlready(_)) => Ok(Switched::SoAlready),
            Err(refusal) => Err(self.failed(node, tried, &refusal)),
        }
    }

    async fn set_boot(&self, node: &Node, boot: &Boot) -> Result<(), DriverError> {
        let tried = "set boot order";
        let refuse = |why: String| self.odd(node, tried, why, "change the domain by hand");
        let Override::To(device) = boot.device else {
            return Err(refuse(format!("{boot} is nothing that is asked for")));
        };
        let text = self.description(node, tried).await?;
        let domain = Domain::parse(&text, node.boot_mac.as_deref()).map_err(refuse)?;
        if domain.name() != Some(&node.name) {
            return Err(refuse("virsh gives another domain".to_owned()));
        }
        let changed = domain.booting_first(device).map_err(refuse)?;
        self.call(node, tried, &["define", "/dev/stdin"], Some(&changed))
            .await?
            .map(|_| ())
            .map_err(|refusal| self.failed(node, tried, &refusal))
    }

    async fn interrogate(
        &self,
        node: &Node,
        _power_on: bool,
        _time_left: Duration,
    ) -> Result<Interrogation, DriverError> {
        let tried = "interrogate";
        let facts = self.facts(node, tried).await?;
        let text = self.description(node, tried).await?;
        let domain = Domain::parse(&text, node.boot_mac.as_deref())
            .map_err(|why| self.odd(node, tried, why, "look at the domain by hand"))?;
        let version = self.ask(node, tried, &["version"]).await?;
        let running = version
            .lines()
            .find_map(|line| line.strip_prefix("Running hypervisor: "))
            .unwrap_or("unknown");
        let fact = |name: &str| facts.get(name).and_then(Value::as_str);
        let description = format!(
            "domain {}, {running}, firmware {}",
            fact("UUID").unwrap_or("without UUID"),
            if domain.uefi() { "UEFI" } else { "BIOS" },
        );
        let mut inventory = domain.inventory();
        inventory["running"] = json!(running);
        inventory["state"] = json!(fact("State"));
        inventory["autostart"] = json!(fact("Autostart"));
        inventory["persistent"] = json!(fact("Persistent"));
        Ok(Interrogation {
            description,
            inventory,
        })
    }

    fn readings(&self) -> Vec<Reading> {
        self.actors.readings()
    }

    async fn shutdown(&self) {
        self.actors.shutdown().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_of_a_domain_is_on_or_off() {
        for (state, on) in [
            ("running", Some(true)),
            ("paused", Some(true)),
            ("in shutdown", Some(true)),
            ("crashed", Some(true)),
            ("shut off", Some(false)),
            ("no state", None),
            ("", None),
        ] {
            assert_eq!(is_on(state), on, "{state}");
        }
    }
}
