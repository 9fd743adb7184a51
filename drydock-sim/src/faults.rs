//! What is broken in the simulated world. Plain data, settable at the start and while the world runs.

mod redfish;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

pub use redfish::{Accepted, Etags, RedfishFaults};

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
    /// What is wrong with its BMC and with the way to it.
    pub bmc: BmcFaults,
    /// What is peculiar about its BMC if that speaks Redfish, beyond what its `vendor` brings.
    pub redfish: RedfishFaults,
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
    /// Boot device settings are kept, and shown, only until the power goes off.
    pub loses_boot_device: bool,
    /// Commissioning fails.
    pub fails_commissioning: bool,
    /// Installation fails.
    pub fails_deployment: bool,
    /// The installed system never calls back.
    pub never_calls_back: bool,
    /// Its boot actions are reported as failed.
    pub boot_action_fails: bool,
}

/// What is wrong with a BMC and with the network in front of it. Changes take effect with the next datagram or request, except
/// that another `vendor` restarts a BMC that speaks IPMI.
///
/// Redfish goes over TCP, which mends a bad network by itself: loss, duplication and reordering do nothing to it. "Busy" is 503
/// with Retry-After there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BmcFaults {
    /// Of a thousand datagrams, in each direction, how many are lost.
    pub loss_per_mille: u16,
    /// Of a thousand datagrams, in each direction, how many come twice.
    pub duplicate_per_mille: u16,
    /// Of a thousand answers, how many are held back so that later ones overtake them.
    pub reorder_per_mille: u16,
    /// Milliseconds that such answers are held back; 20 where it is 0.
    pub reorder_ms: u64,
    /// Milliseconds that every answer takes.
    pub delay_ms: u64,
    /// Every so many commands are put off as "node busy"; none never.
    pub busy_every: Option<u32>,
    /// All its session slots are taken by somebody else.
    pub slots_taken: bool,
    /// More requests than this within a second make it fall over, with the loss of all sessions; none never.
    pub crashes_above: Option<u32>,
    /// Milliseconds that it is away then; 5000 where it is 0.
    pub crash_ms: u64,
    /// Whose peculiarities it has.
    pub vendor: Vendor,
    /// A power supply has lost its input: a sensor is in alarm, and the event log tells of it.
    pub sensor_alarm: bool,
}

/// Whose BMC it is like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Vendor {
    /// As the specification has it.
    #[default]
    Plain,
    /// As little as BMCs get away with: a short device id, no boot parameters 0 and 3, of the boot flags only the device is kept,
    /// open session is answered with privilege level 0, at most 16 bytes of an inventory at a time.
    Minimal,
    /// OpenBMC: no boot parameter 3; by Redfish it tells that the power is on its way.
    Openbmc,
    /// Supermicro: the disk under UEFI has device selector 0x24; by Redfish the boot mode has to come with the target.
    Supermicro,
    /// pyghmi's BMC: suite 3 only, other suites are answered with it instead of being refused; no power cycle.
    Pyghmi,
    /// ipmi_sim: suite 3 only, repeated packets are carried out again.
    IpmiSim,
    /// Dell's iDRAC, by Redfish: few sessions, On is refused shortly after Off.
    Idrac,
    /// HPE's iLO, by Redfish: no boot settings during POST, 400 for what is so already.
    Ilo,
    /// Lenovo's XCC, by Redfish: no change without If-Match, virtual media by PATCH.
    Xcc,
    /// sushy-tools' emulator: no sessions, a service root without `Links`.
    SushyTools,
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
        for wrong in [
            serde_json::json!({"bmc_silnt": true}),
            serde_json::json!({"bmc": {"los": 1}}),
            serde_json::json!({"bmc": {"vendor": "nobody"}}),
        ] {
            let faults = serde_json::json!({"machines": {"n1": wrong}});
            assert!(serde_json::from_value::<Faults>(faults).is_err());
        }
        let right = serde_json::json!({"bmc": {"vendor": "openbmc", "loss_per_mille": 10}});
        let read: MachineFaults = serde_json::from_value(right).unwrap();
        assert_eq!(read.bmc.vendor, Vendor::Openbmc);
    }
}
