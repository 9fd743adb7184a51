//! BootAction as written.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use crate::effective::{AssetKind, PipelineSegment};
use crate::filter::NodeFilter;

/// A BootAction.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BootActionPart {
    /// Whether the machine reports how it went; unset means yes.
    pub signaling: Option<bool>,
    /// What it puts on the machine.
    pub assets: Option<Vec<AssetPart>>,
    /// Which nodes; unset means all.
    pub node_filter: Option<NodeFilter>,
}

/// An asset.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssetPart {
    /// What it is.
    #[serde(rename = "type")]
    pub kind: AssetKind,
    /// Where it goes.
    pub path: Option<String>,
    /// Where the data comes from.
    pub location: Option<String>,
    /// The data.
    pub data: Option<AssetData>,
    /// What is done to the location.
    pub location_pipeline: Option<Vec<PipelineSegment>>,
    /// What is done to the data.
    pub data_pipeline: Option<Vec<PipelineSegment>>,
    /// Mode in octal digits.
    pub permissions: Option<String>,
    /// Whether a unit is enabled.
    pub enabled: Option<bool>,
}

/// Data of an asset.
#[derive(Clone, Debug, PartialEq)]
pub enum AssetData {
    /// Inline.
    Text(String),
    /// Packages with versions; no version means any.
    Packages(Vec<(String, Option<String>)>),
}

impl<'de> Deserialize<'de> for AssetData {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct DataVisitor;

        impl<'de> Visitor<'de> for DataVisitor {
            type Value = AssetData;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, or a map of packages to versions")
            }

            fn visit_bool<E>(self, value: bool) -> Result<AssetData, E> {
                Ok(AssetData::Text(value.to_string()))
            }

            fn visit_i64<E>(self, value: i64) -> Result<AssetData, E> {
                Ok(AssetData::Text(value.to_string()))
            }

            fn visit_f64<E>(self, value: f64) -> Result<AssetData, E> {
                Ok(AssetData::Text(value.to_string()))
            }

            fn visit_str<E>(self, value: &str) -> Result<AssetData, E> {
                Ok(AssetData::Text(value.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<AssetData, A::Error> {
                let mut packages = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    packages.push(entry);
                }
                Ok(AssetData::Packages(packages))
            }
        }

        deserializer.deserialize_any(DataVisitor)
    }
}
