//! Boot-action keys: random, given out once, stored only as a hash.

use std::sync::Arc;

use async_trait::async_trait;
use drydock_model::boot::{BootContext, BootEntry, BootKeys, BootStatus};
use drydock_model::clock::Clock;
use drydock_model::driver::DriverError;
use drydock_model::effective::{EffectiveDesign, Node};
use drydock_model::id::{BootActionId, ClaimToken, Digest, IdSource, TaskId};
use drydock_model::store::{Store, StoreError};
use drydock_model::task::Task;
use secrecy::SecretString;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

/// Keys kept (as hashes) in the store.
pub struct StoredKeys {
    /// Where contexts are kept.
    pub store: Arc<dyn Store>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Ids of the entries.
    pub ids: Arc<dyn IdSource>,
    /// The deploying task.
    pub task: Task,
    /// The deploying step, and the claim on it: without a current one no key is made.
    pub step: TaskId,
    /// See `step`.
    pub token: ClaimToken,
    /// The design it is pinned to.
    pub digest: Digest,
    /// The node.
    pub node: Option<Arc<Node>>,
    /// The design.
    pub design: Arc<EffectiveDesign>,
}

#[async_trait]
impl BootKeys for StoredKeys {
    async fn mint(&self) -> Result<SecretString, DriverError> {
        let node = self.node.as_ref().ok_or_else(|| {
            DriverError::permanent(
                "making a boot-action key",
                "the site",
                "the step names no node",
                "report this as a defect of the planner",
            )
        })?;
        let mut key = [0u8; 32];
        getrandom::fill(&mut key).map_err(|error| {
            DriverError::transient(
                "making a boot-action key",
                &node.name,
                error.to_string(),
                "the operating system gave no random bytes",
            )
        })?;
        let now = self.clock.now();
        let unix_ms = u64::try_from(now.timestamp_millis()).unwrap_or(0);
        let entries = node
            .boot_actions
            .iter()
            .filter_map(|name| {
                self.design
                    .boot_actions
                    .iter()
                    .find(|action| action.name == *name)
            })
            .map(|action| BootEntry {
                action_id: BootActionId(self.ids.ulid(unix_ms)),
                name: action.name.clone(),
                status: if action.signaling {
                    BootStatus::Incomplete
                } else {
                    BootStatus::Unreported
                },
            })
            .collect();
        let context = BootContext {
            node: node.name.clone(),
            task: self.task.id,
            digest: self.digest.clone(),
            design_ref: self.task.design_ref.clone(),
            key_hash: Sha256::digest(key).to_vec(),
            created: now,
            entries,
        };
        self.store
            .open_boot_context(self.step, self.token, &context)
            .await
            .map_err(|error| {
                DriverError::transient(
                    "storing a boot-action key",
                    &node.name,
                    error.to_string(),
                    "",
                )
            })?;
        Ok(SecretString::from(hex::encode(key)))
    }

    async fn is_current(&self, key_hex: &str) -> Result<bool, DriverError> {
        let Some(node) = &self.node else {
            return Ok(false);
        };
        match self.store.boot_context(&node.name).await {
            Ok(context) => Ok(context.task == self.task.id && opens(&context, key_hex)),
            Err(StoreError::NotFound) => Ok(false),
            Err(error) => Err(DriverError::transient(
                "reading the boot-action context",
                &node.name,
                error.to_string(),
                "",
            )),
        }
    }
}

/// Whether a key, as hex of any case, opens a context. In constant time over the hash.
pub(crate) fn opens(context: &BootContext, key_hex: &str) -> bool {
    let Ok(key) = hex::decode(key_hex.trim()) else {
        return false;
    };
    Sha256::digest(&key)
        .as_slice()
        .ct_eq(&context.key_hash)
        .into()
}
