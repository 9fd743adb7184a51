//! What a deployed machine may ask: its units, files and packages, what it has to report, and the report itself.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use drydock_design::template::TemplateContext;
use drydock_model::boot::{BootContext, BootEntry, BootStatus};
use drydock_model::effective::{AssetKind, BootAction};
use drydock_model::id::BootActionId;
use drydock_model::reference::References;
use drydock_model::store::{Store, StoreError};
use drydock_model::task::Message;

use super::archive::{Member, pack};
use super::cache::{Archives, Wanted};
use super::keys::opens;
use super::render::{RenderError, render};
use super::templates::Templates;
use crate::designs::{CompiledSite, DesignError, Designs};

/// Mode of an asset that names none.
const DEFAULT_MODE: u32 = 0o600;

/// Why a machine did not get what it asked for.
#[derive(Debug)]
pub enum BootError {
    /// No such node or action is being deployed.
    Unknown,
    /// The key does not open it.
    WrongKey,
    /// An asset could not be made.
    Render(RenderError),
    /// The design could not be read.
    Design(DesignError),
    /// The store refused or failed.
    Store(StoreError),
}

impl fmt::Display for BootError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BootError::Unknown => f.write_str("no deployment of this node or boot action is known"),
            BootError::WrongKey => {
                f.write_str("the key does not belong to this node's current deployment")
            }
            BootError::Render(error) => error.fmt(f),
            BootError::Design(error) => error.fmt(f),
            BootError::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for BootError {}

impl From<StoreError> for BootError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound => BootError::Unknown,
            other => BootError::Store(other),
        }
    }
}

/// Serves deployed machines.
pub struct BootService {
    store: Arc<dyn Store>,
    designs: Arc<Designs>,
    references: Arc<dyn References>,
    templates: Arc<dyn Templates>,
    report_url: String,
    archives: Archives,
}

impl BootService {
    /// `report_url` is what templates see as `action.report_url`: `{public_url}/api/v1.0/bootactions/`.
    pub fn new(
        store: Arc<dyn Store>,
        designs: Arc<Designs>,
        references: Arc<dyn References>,
        templates: Arc<dyn Templates>,
        report_url: String,
    ) -> Self {
        BootService {
            store,
            designs,
            references,
            templates,
            report_url,
            archives: Archives::default(),
        }
    }

    /// What the node's current deployment has to report.
    ///
    /// # Errors
    /// See [`BootError`].
    pub async fn entries(&self, node: &str, key_hex: &str) -> Result<Vec<BootEntry>, BootError> {
        Ok(self.open(node, key_hex).await?.entries)
    }

    /// The node's assets of this kind as a gzip tar.
    ///
    /// # Errors
    /// See [`BootError`].
    pub async fn archive(
        &self,
        node: &str,
        kind: AssetKind,
        key_hex: &str,
    ) -> Result<Bytes, BootError> {
        let context = self.open(node, key_hex).await?;
        let wanted = Wanted {
            node: context.node.clone(),
            kind,
            key_hash: context.key_hash.clone(),
        };
        if let Some(made) = self.archives.get(&wanted) {
            return Ok(made);
        }
        let site = self
            .designs
            .pinned(&context.digest)
            .await
            .map_err(BootError::Design)?;
        let node = site.node(node).ok_or(BootError::Unknown)?;
        let mut members = Vec::new();
        for (entry, action) in actions(&site, &context) {
            let seen = TemplateContext::new(
                &site.design,
                node,
                entry.action_id,
                key_hex,
                &self.report_url,
                &context.design_ref,
            );
            for asset in action.assets.iter().filter(|asset| asset.kind == kind) {
                let data = render(asset, &seen, &*self.references, &*self.templates)
                    .await
                    .map_err(BootError::Render)?;
                members.push(Member {
                    path: asset.path.clone(),
                    mode: asset.permissions.unwrap_or(DEFAULT_MODE),
                    data,
                });
            }
        }
        let made = pack(&members).map_err(|error| {
            BootError::Render(RenderError {
                asset: "archive".into(),
                message: error.to_string(),
                transient: false,
            })
        })?;
        let made = Bytes::from(made);
        self.archives.put(wanted, made.clone());
        Ok(made)
    }

    /// The node's packages with their versions.
    ///
    /// # Errors
    /// See [`BootError`].
    pub async fn packages(
        &self,
        node: &str,
        key_hex: &str,
    ) -> Result<BTreeMap<String, Option<String>>, BootError> {
        let context = self.open(node, key_hex).await?;
        let site = self
            .designs
            .pinned(&context.digest)
            .await
            .map_err(BootError::Design)?;
        Ok(actions(&site, &context)
            .flat_map(|(_, action)| {
                action
                    .assets
                    .iter()
                    .filter(|asset| asset.kind == AssetKind::PkgList)
            })
            .flat_map(|asset| asset.packages.clone())
            .collect())
    }

    /// Takes a report.
    ///
    /// # Errors
    /// See [`BootError`]; [`StoreError::Conflict`] when the action's status is final.
    pub async fn report(
        &self,
        action: BootActionId,
        key_hex: &str,
        status: Option<BootStatus>,
        messages: &[Message],
    ) -> Result<BootEntry, BootError> {
        let context = self.store.boot_context_of(action).await?;
        if !opens(&context, key_hex) {
            return Err(BootError::WrongKey);
        }
        Ok(self
            .store
            .report_boot_action(action, status, messages)
            .await?)
    }

    /// The context that holds this action, for the messages' names.
    ///
    /// # Errors
    /// [`BootError::Unknown`].
    pub async fn context_of(&self, action: BootActionId) -> Result<BootContext, BootError> {
        Ok(self.store.boot_context_of(action).await?)
    }

    async fn open(&self, node: &str, key_hex: &str) -> Result<BootContext, BootError> {
        let context = self.store.boot_context(node).await?;
        if opens(&context, key_hex) {
            Ok(context)
        } else {
            Err(BootError::WrongKey)
        }
    }
}

/// The boot actions of a context, each with its entry.
fn actions<'a>(
    site: &'a CompiledSite,
    context: &'a BootContext,
) -> impl Iterator<Item = (&'a BootEntry, &'a BootAction)> {
    context.entries.iter().filter_map(|entry| {
        site.design
            .boot_actions
            .iter()
            .find(|action| action.name == entry.name)
            .map(|action| (entry, action))
    })
}
