//! Design documents as written ("designed"), before inheritance.

mod boot;
mod hardware;
mod host;
mod network;
mod scalar;
pub mod schema;
mod site;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::finding::{DocumentRef, Location};
use crate::tree::{Ignored, Position, REDACTED, ReadError, Tree, is_secret_key, mask_urls};

pub use boot::{AssetData, AssetPart, BootActionPart};
pub use hardware::{AliasPart, BootstrapProtocol, HardwarePart, HugepagesPart};
pub use host::{
    AddressPart, DevicePart, FilesystemPart, HostMetadata, HostPart, InterfacePart,
    LogicalVolumePart, OobPart, PartitionPart, PlatformPart, SriovPart, StoragePart,
    VolumeGroupPart,
};
pub use network::{
    BondingPart, DnsPart, LinkPart, NetworkPart, RangePart, RelayPart, RoutePart, TrunkingPart,
};
pub use scalar::{CommaList, Ordered, Scalar};
pub use site::{RackPart, RegionPart, Repositories, RepositoryPart, SwitchPart, TagDefinition};

/// The eight kinds of documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// The site as a whole.
    Region,
    /// A rack.
    Rack,
    /// Layer 1 and 2 of a link.
    NetworkLink,
    /// Layer 3 of a network.
    Network,
    /// A model of hardware.
    HardwareProfile,
    /// Settings that nodes share.
    HostProfile,
    /// A machine.
    BaremetalNode,
    /// What a machine does when it first boots.
    BootAction,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 8] = [
        Kind::Region,
        Kind::Rack,
        Kind::NetworkLink,
        Kind::Network,
        Kind::HardwareProfile,
        Kind::HostProfile,
        Kind::BaremetalNode,
        Kind::BootAction,
    ];

    /// The name as documents write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Region => "Region",
            Kind::Rack => "Rack",
            Kind::NetworkLink => "NetworkLink",
            Kind::Network => "Network",
            Kind::HardwareProfile => "HardwareProfile",
            Kind::HostProfile => "HostProfile",
            Kind::BaremetalNode => "BaremetalNode",
            Kind::BootAction => "BootAction",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Kind {
    type Err = String;

    /// Also takes `Site`, the API's other word for a Region.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "Site" {
            return Ok(Kind::Region);
        }
        Kind::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| {
                let known: Vec<_> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
                format!("unknown kind {text:?}; known are {}", known.join(", "))
            })
    }
}

/// What a document says, as written: nothing is inherited, resolved or checked against other documents yet.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// [`Kind::Region`].
    Region(RegionPart),
    /// [`Kind::Rack`].
    Rack(RackPart),
    /// [`Kind::NetworkLink`].
    NetworkLink(LinkPart),
    /// [`Kind::Network`].
    Network(NetworkPart),
    /// [`Kind::HardwareProfile`].
    HardwareProfile(HardwarePart),
    /// [`Kind::HostProfile`].
    HostProfile(HostPart),
    /// [`Kind::BaremetalNode`].
    BaremetalNode(HostPart),
    /// [`Kind::BootAction`].
    BootAction(BootActionPart),
}

/// One document of a design.
#[derive(Clone, Debug)]
pub struct Document {
    /// Kind.
    pub kind: Kind,
    /// `metadata.name`.
    pub name: String,
    /// `metadata.labels`, in order.
    pub labels: Vec<(String, String)>,
    /// The body (`spec` or `data`), typed.
    pub part: Part,
    /// The body as written, with the place of each value.
    pub tree: Arc<Tree>,
    /// The text it stands in, as the user named it.
    pub source: Arc<str>,
    /// Where its name stands.
    pub name_position: Position,
    /// Keys of the body that nothing reads, though they may stand there.
    pub ignored: Vec<Ignored>,
    /// The other texts that it was put together from, when it was: those that [`Position::origin`] counts, from 1.
    pub origins: Arc<[Arc<str>]>,
}

impl Document {
    /// Reads a document's body.
    ///
    /// # Errors
    /// What in the body does not fit the kind, and where.
    pub fn read(
        kind: Kind,
        name: &str,
        name_position: Position,
        tree: Arc<Tree>,
        source: Arc<str>,
    ) -> Result<Self, ReadError> {
        let (part, ignored) = match kind {
            Kind::Region => body(&tree, Part::Region),
            Kind::Rack => body(&tree, Part::Rack),
            Kind::NetworkLink => body(&tree, Part::NetworkLink),
            Kind::Network => body(&tree, Part::Network),
            Kind::HardwareProfile => body(&tree, Part::HardwareProfile),
            Kind::HostProfile => host_profile(&tree),
            Kind::BaremetalNode => body(&tree, Part::BaremetalNode),
            Kind::BootAction => body(&tree, Part::BootAction),
        }?;
        Ok(Document {
            kind,
            name: name.to_owned(),
            labels: Vec::new(),
            part,
            tree,
            source,
            name_position,
            ignored,
            origins: Arc::default(),
        })
    }

    /// Kind and name, for a finding.
    #[must_use]
    pub fn reference(&self) -> DocumentRef {
        DocumentRef {
            kind: self.kind,
            name: self.name.clone(),
        }
    }

    /// The place of the value at a path of the body (see [`Tree::find`]); of the deepest part of the path that is there, when it is
    /// not; of the document's name, when nothing of it is.
    pub fn location<S: AsRef<str>>(&self, path: &[S]) -> Location {
        match self.tree.find_deepest(path) {
            (_, 0) => self.at(self.name_position),
            (tree, _) => self.at(tree.position),
        }
    }

    /// The place of the value at a path of the body, when it is there.
    pub fn find_location<S: AsRef<str>>(&self, path: &[S]) -> Option<Location> {
        self.tree.find(path).map(|tree| self.at(tree.position))
    }

    /// The place of the document's name.
    #[must_use]
    pub fn name_location(&self) -> Location {
        self.at(self.name_position)
    }

    /// A position in this document as a place.
    #[must_use]
    pub fn at(&self, position: Position) -> Location {
        Location::new(&self.source, &self.origins, position)
    }

    /// The document as API answers show it: `apiVersion`, `kind`, `metadata`, `spec`. Secrets are redacted unless `reveal` is set.
    #[must_use]
    pub fn to_json(&self, reveal: bool) -> serde_json::Value {
        let mut spec = self.tree.to_json();
        if !reveal {
            redact(&mut spec);
            mask_urls(&mut spec);
        }
        let mut metadata = serde_json::Map::new();
        metadata.insert("name".to_owned(), self.name.clone().into());
        if !self.labels.is_empty() {
            let labels = self
                .labels
                .iter()
                .map(|(key, value)| (key.clone(), value.clone().into()))
                .collect();
            metadata.insert("labels".to_owned(), serde_json::Value::Object(labels));
        }
        serde_json::json!({
            "apiVersion": "drydock/v1",
            "kind": self.kind.as_str(),
            "metadata": metadata,
            "spec": spec,
        })
    }
}

fn body<T: DeserializeOwned + Default>(
    tree: &Tree,
    wrap: fn(T) -> Part,
) -> Result<(Part, Vec<Ignored>), ReadError> {
    if tree.is_null() {
        return Ok((wrap(T::default()), Vec::new()));
    }
    tree.read_with_ignored()
        .map(|(part, ignored)| (wrap(part), ignored))
}

fn host_profile(tree: &Tree) -> Result<(Part, Vec<Ignored>), ReadError> {
    let read = body(tree, Part::HostProfile)?;
    match tree.entry("addressing") {
        None => Ok(read),
        Some(entry) => Err(ReadError {
            position: Some(entry.key_position),
            path: Vec::new(),
            message: "a HostProfile cannot have addressing: addresses belong to one machine; write them in its BaremetalNode".into(),
            unknown: None,
            known: &[],
        }),
    }
}

/// Secrets stand among the out-of-band parameters only.
fn redact(spec: &mut serde_json::Value) {
    if let Some(oob) = spec
        .get_mut("oob")
        .and_then(serde_json::Value::as_object_mut)
    {
        for (_, value) in oob
            .iter_mut()
            .filter(|(key, value)| is_secret_key(key) && !value.is_null())
        {
            *value = REDACTED.into();
        }
    }
}
