//! What is broken in the simulated world. Plain data, settable at the start and while the world runs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// All faults of a world. Setting new ones replaces the old ones as a whole.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Faults by machine name.
    pub machines: BTreeMap<String, MachineFaults>,
    /// Faults of the MaaS region; the first that matches a request applies.
    pub maas: Vec<MaasFault>,
}

/// What is broken in one machine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MachineFaults {
    /// Its BMC answers nothing.
    pub bmc_silent: bool,
    /// Its BMC has another password than the shape says.
    pub bmc_wrong_password: bool,
    /// Power commands are acknowledged and not done, whoever sends them.
    pub ignores_power: bool,
    /// Its BMC refuses all power commands, as not possible in the present state.
    pub refuses_power: bool,
    /// Its BMC refuses power commands for what is so already: on when it is on, off when it is off.
    pub refuses_same_power: bool,
    /// Boot device settings are acknowledged and not kept.
    pub forgets_boot_device: bool,
    /// Commissioning fails.
    pub fails_commissioning: bool,
    /// Installation fails.
    pub fails_deployment: bool,
    /// The installed system never calls back.
    pub never_calls_back: bool,
    /// Its boot actions are reported as failed.
    pub boot_action_fails: bool,
}

/// A misbehaviour of the MaaS region.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MaasFault {
    /// Requests whose path below `/MAAS/api/2.0/` starts with this; empty for all.
    pub path_prefix: String,
    /// Only this method (`GET`, `POST`, ...); none for all.
    pub method: Option<String>,
    /// Only requests with this `op`; none for all.
    pub op: Option<String>,
    /// How many requests it still hits; none for all.
    pub remaining: Option<u32>,
    /// Status to answer in place of the right answer, such as 503; none lets the request pass.
    pub status: Option<u16>,
    /// Seconds in the `Retry-After` header of that answer; none sends no such header. Real servers send 10 with a 503
    /// and 5 with a 409 whose transaction lost its retries.
    pub retry_after: Option<u32>,
    /// Whether the request is carried out before the wrong status is sent, so that only its answer is lost.
    pub after_work: bool,
    /// Milliseconds the answer is held back.
    pub delay_ms: u64,
}

/// What a fault makes of one request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Hit {
    pub(crate) status: Option<u16>,
    pub(crate) retry_after: Option<u32>,
    pub(crate) after_work: bool,
    pub(crate) delay: Duration,
}

/// The faults in force, shared by all parts of the world.
#[derive(Debug, Clone)]
pub(crate) struct FaultBoard {
    faults: Arc<Mutex<Faults>>,
    changed: Arc<watch::Sender<u64>>,
}

impl FaultBoard {
    pub(crate) fn new(faults: Faults) -> Self {
        Self {
            faults: Arc::new(Mutex::new(faults)),
            changed: Arc::new(watch::Sender::new(0)),
        }
    }

    pub(crate) fn set(&self, faults: Faults) {
        *self.faults.lock().unwrap_or_else(PoisonError::into_inner) = faults;
        self.changed.send_modify(|version| *version += 1);
    }

    pub(crate) fn get(&self) -> Faults {
        self.faults
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Tells when the faults were set anew.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    pub(crate) fn machine(&self, name: &str) -> MachineFaults {
        self.faults
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .machines
            .get(name)
            .copied()
            .unwrap_or_default()
    }

    /// The fault that hits this request, counted as used.
    pub(crate) fn maas(&self, method: &str, path: &str, op: Option<&str>) -> Hit {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        let hit = faults.maas.iter_mut().find(|fault| {
            path.starts_with(&fault.path_prefix)
                && fault
                    .method
                    .as_deref()
                    .is_none_or(|m| m.eq_ignore_ascii_case(method))
                && fault.op.as_deref().is_none_or(|wanted| Some(wanted) == op)
                && fault.remaining != Some(0)
        });
        let Some(fault) = hit else {
            return Hit::default();
        };
        if let Some(remaining) = &mut fault.remaining {
            *remaining -= 1;
        }
        Hit {
            status: fault.status,
            retry_after: fault.retry_after,
            after_work: fault.after_work,
            delay: Duration::from_millis(fault.delay_ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counted_fault_wears_off() {
        let board = FaultBoard::new(Faults {
            maas: vec![MaasFault {
                path_prefix: "machines/".into(),
                remaining: Some(1),
                status: Some(503),
                ..MaasFault::default()
            }],
            ..Faults::default()
        });
        assert_eq!(board.maas("GET", "tags/", None).status, None);
        assert_eq!(board.maas("GET", "machines/", None).status, Some(503));
        assert_eq!(board.maas("GET", "machines/", None).status, None);
    }

    #[test]
    fn a_misspelt_fault_is_refused() {
        let wrong = serde_json::json!({"machines": {"n1": {"bmc_silnt": true}}});
        assert!(serde_json::from_value::<Faults>(wrong).is_err());
    }
}
