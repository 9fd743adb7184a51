//! What was done to the simulated world, in order.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::machine::core::Phase;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Number of the entry, from 1, without gaps.
    pub seq: u64,
    /// When it was written: for a request, when its answer was ready.
    pub at: DateTime<Utc>,
    /// What happened.
    #[serde(flatten)]
    pub call: Call,
}

/// Whose hand a power command came through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The BMC's network port: whoever drives the site from outside.
    Bmc,
    /// The simulated MaaS, by the world's own wiring.
    Maas,
}

/// The kinds of things that happen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Call {
    /// A request to the MaaS region.
    Maas {
        /// HTTP method.
        method: String,
        /// Path below `/MAAS/api/2.0/`, boot-action keys removed.
        path: String,
        /// The operation asked for.
        op: Option<String>,
        /// Query and form fields; secret values are replaced by `***`.
        fields: BTreeMap<String, Vec<String>>,
        /// Status of the answer.
        status: u16,
        /// Requests being served when this one came, itself included.
        in_flight: u32,
    },
    /// A power command or boot setting that a machine's controller took.
    Bmc {
        /// The machine.
        machine: String,
        /// Where it came from.
        origin: Origin,
        /// `power_on`, `power_off`, `power_cycle`, `power_reset`, `power_soft_off`, `boot_network`, `set_boot`, `insert_media` or
        /// `eject_media`.
        command: String,
        /// The boot flags of `set_boot` in hexadecimal, the image of `insert_media`; empty otherwise.
        detail: String,
    },
    /// A request to the Redfish service of a machine's BMC.
    Redfish {
        /// The machine.
        machine: String,
        /// HTTP method.
        method: String,
        /// Path, from `/redfish` on.
        path: String,
        /// Status of the answer; none when the connection was closed in its place.
        status: Option<u16>,
    },
    /// A machine went from one phase to the next.
    Machine {
        /// The machine.
        machine: String,
        /// The phase it left.
        from: Phase,
        /// The phase it entered.
        to: Phase,
    },
    /// MaaS moved a node to another status.
    NodeStatus {
        /// MaaS id of the node.
        system_id: String,
        /// Its hostname in MaaS.
        hostname: String,
        /// The status it left, as MaaS names it.
        from: String,
        /// The status it entered.
        to: String,
    },
    /// A call of an installed machine to the drydock server.
    CallBack {
        /// The machine.
        machine: String,
        /// HTTP method.
        method: String,
        /// Path below the call-back base.
        path: String,
        /// Status of the answer; none when there was no answer.
        status: Option<u16>,
        /// What went wrong, or what was received.
        note: String,
    },
    /// A request to the stand-in server.
    StandIn {
        /// HTTP method.
        method: String,
        /// The host the client meant.
        host: String,
        /// The path.
        path: String,
        /// Status of the answer.
        status: u16,
    },
}

/// The growing log of a world; clones share it.
#[derive(Debug, Clone)]
pub struct CallLog {
    entries: Arc<Mutex<Vec<Entry>>>,
    last: Arc<watch::Sender<u64>>,
}

impl CallLog {
    pub(crate) fn new() -> Self {
        Self {
            entries: Arc::default(),
            last: Arc::new(watch::Sender::new(0)),
        }
    }

    pub(crate) fn push(&self, call: Call) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let seq = entries.len() as u64 + 1;
        tracing::debug!(seq, ?call, "simulated world");
        entries.push(Entry {
            seq,
            at: Utc::now(),
            call,
        });
        self.last.send_replace(seq);
    }

    /// Number of the newest entry; 0 when nothing has happened.
    pub fn last_seq(&self) -> u64 {
        *self.last.borrow()
    }

    /// The entries after number `seq`, oldest first; 0 gives all.
    pub fn since(&self, seq: u64) -> Vec<Entry> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let start = usize::try_from(seq).unwrap_or(usize::MAX);
        entries.get(start..).unwrap_or_default().to_vec()
    }

    /// Waits until an entry after number `seq` satisfies `wanted`, and gives it. Waits for ever if none comes: put a
    /// deadline around it.
    pub async fn wait_for(&self, seq: u64, mut wanted: impl FnMut(&Entry) -> bool) -> Entry {
        let mut seen = seq;
        let mut last = self.last.subscribe();
        loop {
            last.borrow_and_update();
            for entry in self.since(seen) {
                if wanted(&entry) {
                    return entry;
                }
                seen = entry.seq;
            }
            if last.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stand_in(path: &str) -> Call {
        Call::StandIn {
            method: "GET".into(),
            host: "h".into(),
            path: path.into(),
            status: 200,
        }
    }

    #[tokio::test]
    async fn numbers_are_gapless_and_waiters_wake() {
        let log = CallLog::new();
        log.push(stand_in("/a"));
        let waiter = {
            let log = log.clone();
            tokio::spawn(async move {
                log.wait_for(
                    1,
                    |e| matches!(&e.call, Call::StandIn { path, .. } if path == "/c"),
                )
                .await
            })
        };
        log.push(stand_in("/b"));
        log.push(stand_in("/c"));
        assert_eq!(waiter.await.unwrap().seq, 3);
        assert_eq!(log.since(1).len(), 2);
        assert!(log.since(9).is_empty());
    }
}
