//! Region and Rack as written.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use super::scalar::{Ordered, Scalar};

/// A Region.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RegionPart {
    /// How tags are derived from hardware.
    pub tag_definitions: Option<Vec<TagDefinition>>,
    /// Public SSH keys for the deployed machines.
    pub authorized_keys: Option<Vec<String>>,
    /// Package repositories.
    pub repositories: Option<Repositories>,
}

/// How a tag is derived from hardware.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TagDefinition {
    /// The tag.
    pub tag: Option<String>,
    /// The language of the definition; `lshw_xpath` is the only one.
    pub definition_type: Option<String>,
    /// The definition.
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
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct RepositoryPart {
    /// `apt`.
    pub repo_type: Option<String>,
    /// Base URL.
    pub url: Option<String>,
    /// Distributions (suites).
    pub distributions: Option<Vec<String>>,
    /// Sub-repositories (pockets).
    pub subrepos: Option<Vec<String>>,
    /// Components.
    pub components: Option<Vec<String>>,
    /// ASCII-armoured public key.
    pub gpgkey: Option<String>,
    /// Architectures.
    pub arches: Option<Vec<String>>,
    /// Further options.
    pub options: Option<Ordered<Scalar>>,
}

/// A Rack.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct RackPart {
    /// Top-of-rack switches by name.
    pub tor_switches: Option<Ordered<SwitchPart>>,
    /// Free-form location.
    pub location: Option<Ordered<Scalar>>,
    /// Networks wholly inside this rack.
    pub local_networks: Option<Vec<String>>,
    /// Free-form labels.
    pub labels: Option<Ordered<Scalar>>,
}

/// A top-of-rack switch.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct SwitchPart {
    /// Management address.
    pub mgmt_ip: Option<String>,
    /// URI of its controller.
    pub sdn_api_uri: Option<String>,
}
