//! BootAction as written.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use super::schema::pattern;
use crate::effective::{AssetKind, PipelineSegment};
use crate::filter::NodeFilter;

/// What is put on machines after their installation, and runs when they first boot.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BootActionPart {
    /// Whether the machine reports how it went; a deployment waits for the report. Default: `true`.
    pub signaling: Option<bool>,
    /// What it puts on the machine: files, systemd units, packages.
    pub assets: Option<Vec<AssetPart>>,
    /// Which nodes it is for. Default: every node.
    pub node_filter: Option<NodeFilter>,
}

/// A file, a systemd unit or a list of packages.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = super::schema::asset_needs)]
pub struct AssetPart {
    /// `file`, `unit` (a systemd unit, which is enabled) or `pkg_list` (packages).
    #[serde(rename = "type")]
    pub kind: AssetKind,
    /// Where it goes: an absolute path. Not for packages. Example: `/opt/hello.sh`.
    #[schemars(extend("pattern" = pattern::ABSOLUTE_PATH, "examples" = ["/opt/hello.sh"], "x-unique" = "value"))]
    pub path: Option<String>,
    /// URL that the contents come from, unless `data` holds them: `http(s)`, `deckhand+http(s)` or `promenade+http(s)`.
    #[schemars(extend("pattern" = pattern::LOCATION, "examples" = ["https://example.com/script.sh"]))]
    pub location: Option<String>,
    /// The contents as a text; for packages a map of package to version, where nothing means any version.
    pub data: Option<AssetData>,
    /// What is done to `location` before it is fetched, in order.
    pub location_pipeline: Option<Vec<PipelineSegment>>,
    /// What is done to the contents, in order. Example: `[base64_decode, utf8_decode, template]`.
    pub data_pipeline: Option<Vec<PipelineSegment>>,
    /// Mode of the file in octal digits. Example: `'644'`.
    #[schemars(extend("type" = ["string", "integer", "null"], "minimum" = 0, "maximum" = 7777, "pattern" = pattern::MODE, "examples" = ["644", "755"]))]
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

impl JsonSchema for AssetData {
    fn schema_name() -> Cow<'static, str> {
        "AssetData".into()
    }

    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A text; for packages a map of package to version, where nothing means any version.",
            "anyOf": [
                { "type": "string" },
                {
                    "type": "object",
                    "additionalProperties": {
                        "description": "Version as apt shows it, without an operator; nothing means any.",
                        "type": ["string", "number", "boolean", "null"],
                        "pattern": pattern::PACKAGE_VERSION,
                        "examples": ["4.2-2ubuntu2"]
                    }
                }
            ]
        })
    }
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
