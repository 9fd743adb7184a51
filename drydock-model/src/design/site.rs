//! Region and Rack as written.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use super::scalar::{Ordered, Scalar};
use super::schema::pattern;

/// The site as a whole: who may log in, and where packages come from. A site has one.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RegionPart {
    /// How tags are derived from what is found in a machine.
    pub tag_definitions: Option<Vec<TagDefinition>>,
    /// Public SSH keys that may log in to the deployed machines, each as it stands in an `authorized_keys` file.
    #[schemars(extend("format" = "ssh-public-key", "x-unique" = "list"))]
    pub authorized_keys: Option<Vec<String>>,
    /// Package repositories by name. `remove_unlisted: true` among them removes those of the provisioner that are not listed.
    pub repositories: Option<Repositories>,
}

/// How a tag is derived from what is found in a machine.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TagDefinition {
    /// The tag that a machine gets when the definition fits it.
    #[schemars(required, length(min = 1), extend("x-required" = true, "x-unique" = "sibling", "examples" = ["gpu"]))]
    pub tag: Option<String>,
    /// The language of the definition: `lshw_xpath`, an XPath expression on the XML of lshw.
    #[schemars(required, extend("x-required" = true, "enum" = ["lshw_xpath"]))]
    pub definition_type: Option<String>,
    /// The definition. Example: `//node[@id="display"]`.
    #[schemars(required, length(min = 1), extend("x-required" = true, "examples" = ["//node[@id=\"display\"]"]))]
    pub definition: Option<String>,
}

/// Package repositories by name, with one switch among them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Repositories {
    /// Remove repositories that are not listed.
    pub remove_unlisted: Option<bool>,
    /// Repositories in order.
    pub repositories: Vec<(String, RepositoryPart)>,
}

impl JsonSchema for Repositories {
    fn schema_name() -> Cow<'static, str> {
        "Repositories".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Package repositories by name.",
            "type": "object",
            "properties": {
                "remove_unlisted": {
                    "description": "Whether the provisioner's repositories that are not listed here are removed. Default: `false`.",
                    "type": ["boolean", "null"]
                }
            },
            "additionalProperties": Option::<RepositoryPart>::json_schema(generator)
        })
    }
}

impl<'de> Deserialize<'de> for Repositories {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RepositoriesVisitor;

        impl<'de> Visitor<'de> for RepositoriesVisitor {
            type Value = Repositories;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of repositories")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Repositories, A::Error> {
                let mut found = Repositories::default();
                while let Some(key) = map.next_key::<String>()? {
                    if key == "remove_unlisted" {
                        found.remove_unlisted = map.next_value()?;
                    } else if let Some(repository) = map.next_value()? {
                        found.repositories.push((key, repository));
                    }
                }
                Ok(found)
            }
        }

        deserializer.deserialize_map(RepositoriesVisitor)
    }
}

/// A package repository.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RepositoryPart {
    /// Kind of repository: `apt`, the only one that there is.
    #[schemars(extend("enum" = ["apt"]))]
    pub repo_type: Option<String>,
    /// Base URL. Example: `http://archive.ubuntu.com/ubuntu`.
    #[schemars(required, extend("x-required" = true, "pattern" = pattern::REPOSITORY_URL, "examples" = ["http://archive.ubuntu.com/ubuntu"]))]
    pub url: Option<String>,
    /// Distributions (suites). Example: `[noble]`.
    #[schemars(extend("x-unique" = "list"))]
    pub distributions: Option<Vec<String>>,
    /// Sub-repositories (pockets) that are used. Example: `[security, updates]`.
    #[schemars(extend("x-unique" = "list"))]
    pub subrepos: Option<Vec<String>>,
    /// Components that are used. Example: `[main, universe]`.
    #[schemars(extend("x-unique" = "list"))]
    pub components: Option<Vec<String>>,
    /// Public key that the repository is signed with, in ASCII armour.
    #[schemars(extend("format" = "pgp-public-key"))]
    pub gpgkey: Option<String>,
    /// Architectures. Example: `[amd64]`.
    #[schemars(extend("x-unique" = "list"))]
    pub arches: Option<Vec<String>>,
    /// Further options of your own.
    pub options: Option<Ordered<Scalar>>,
}

/// A rack: where machines stand.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RackPart {
    /// Top-of-rack switches by name.
    pub tor_switches: Option<Ordered<SwitchPart>>,
    /// Where the rack stands, in keys and values of your own; filters (`rack_labels`) look here, too.
    pub location: Option<Ordered<Scalar>>,
    /// Names of the Networks that are wholly inside this rack.
    #[schemars(extend("x-refers-to" = "Network", "x-unique" = "list"))]
    pub local_networks: Option<Vec<String>>,
    /// Labels of your own, for filters (`rack_labels`).
    pub labels: Option<Ordered<Scalar>>,
}

/// A top-of-rack switch.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct SwitchPart {
    /// Address by which the switch is managed.
    #[schemars(extend("pattern" = pattern::ADDRESS, "format" = "ip-address", "examples" = ["10.9.0.2"]))]
    pub mgmt_ip: Option<String>,
    /// URI of its controller. Example: `polo+https://api.sdn.example.com/switchmgmt?switch=switch01name`.
    #[schemars(extend("pattern" = pattern::URI, "examples" = ["polo+https://api.sdn.example.com/switchmgmt?switch=switch01name"]))]
    pub sdn_api_uri: Option<String>,
}
