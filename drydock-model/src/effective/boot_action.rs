//! Boot actions and their assets.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::filter::NodeFilter;

/// A boot action.
#[derive(Clone, Debug, Serialize)]
pub struct BootAction {
    /// Name.
    pub name: String,
    /// Whether the machine reports how it went.
    pub signaling: bool,
    /// Which nodes; `None`: all.
    pub node_filter: Option<NodeFilter>,
    /// Assets in order.
    pub assets: Vec<Asset>,
}

/// Something a boot action puts on the machine.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Asset {
    /// What it is.
    pub kind: AssetKind,
    /// Where it goes; empty for a package list.
    pub path: String,
    /// Mode bits.
    pub permissions: Option<u32>,
    /// Whether a unit is enabled; `None`: as written in the unit.
    pub enabled: Option<bool>,
    /// The data, inline.
    pub data: Option<String>,
    /// Where the data comes from otherwise.
    pub location: Option<String>,
    /// What is done to the location before it is fetched.
    pub location_pipeline: Vec<PipelineSegment>,
    /// What is done to the data.
    pub data_pipeline: Vec<PipelineSegment>,
    /// Package to version; an absent version means any.
    pub packages: BTreeMap<String, Option<String>>,
}

/// Kinds of assets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AssetKind {
    /// A file.
    File,
    /// A systemd unit.
    Unit,
    /// A list of packages.
    PkgList,
}

/// Steps of an asset's pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PipelineSegment {
    /// Base64 to bytes.
    Base64Decode,
    /// Bytes to base64.
    Base64Encode,
    /// Bytes to text.
    Utf8Decode,
    /// Text to bytes.
    Utf8Encode,
    /// Jinja2.
    Template,
}
