//! What an operator and the drivers have to say to the rules.

use std::collections::{BTreeMap, BTreeSet};

use drydock_model::finding::Level;
use serde::{Deserialize, Serialize};

/// Images that a node provisioner offers, each with its kernels.
pub type Offer = BTreeMap<String, BTreeSet<String>>;

/// How a design is judged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Levels by the rule's id. All findings of the rule get the level, those too that have one of their own.
    pub levels: BTreeMap<String, LevelOverride>,
    /// What the node provisioner offers; `None`: it was not asked.
    pub offered_images: Option<Offer>,
    /// The out-of-band types that an enabled driver serves; `None`: every type that is known.
    pub oob_types: Option<BTreeSet<String>>,
}

impl Options {
    /// Every rule at its own level, nobody asked.
    pub const DEFAULT: Options = Options {
        levels: BTreeMap::new(),
        offered_images: None,
        oob_types: None,
    };
}

/// A level that an operator gives a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LevelOverride {
    /// Nothing is done with the design until it is mended.
    Error,
    /// Told.
    Warning,
    /// Told to those who ask.
    Info,
    /// Not checked; a message says so.
    Off,
}

impl LevelOverride {
    /// The level of a finding; `None` when there is none to be.
    #[must_use]
    pub fn level(self) -> Option<Level> {
        match self {
            LevelOverride::Error => Some(Level::Error),
            LevelOverride::Warning => Some(Level::Warning),
            LevelOverride::Info => Some(Level::Info),
            LevelOverride::Off => None,
        }
    }
}
