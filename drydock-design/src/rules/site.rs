//! What rules look at.

use std::net::IpAddr;

use drydock_model::design::{Document, Kind};
use drydock_model::effective::{Address, Link, Network, Node};
use hashbrown::HashMap;

use super::Options;
use crate::compile::Compiled;
use crate::index::Index;
use crate::report::{Place, at, whole};

/// A design as documents and compiled, with its names indexed.
pub struct Site<'a> {
    pub(crate) compiled: &'a Compiled,
    pub(crate) index: Index<'a>,
    pub(crate) networks: HashMap<&'a str, &'a Network>,
    pub(crate) links: HashMap<&'a str, &'a Link>,
    pub(crate) options: &'a Options,
}

impl<'a> Site<'a> {
    /// Indexes a design.
    #[must_use]
    pub fn new(documents: &'a [Document], compiled: &'a Compiled) -> Self {
        static DEFAULT: Options = Options::DEFAULT;
        Self::with_options(documents, compiled, &DEFAULT)
    }

    /// Indexes a design that is to be judged with options.
    #[must_use]
    pub fn with_options(
        documents: &'a [Document],
        compiled: &'a Compiled,
        options: &'a Options,
    ) -> Self {
        let design = &compiled.design;
        Site {
            compiled,
            index: Index::new(documents, &compiled.gaps.unread),
            networks: design
                .networks
                .iter()
                .map(|network| (network.name.as_str(), network))
                .collect(),
            links: design
                .links
                .iter()
                .map(|link| (link.name.as_str(), link))
                .collect(),
            options,
        }
    }

    pub(crate) fn nodes(&self) -> impl Iterator<Item = &'a Node> {
        self.compiled.design.nodes.iter().map(|node| &**node)
    }

    /// Whether the node has all that it inherits: only then can it be said to lack something.
    pub(crate) fn is_whole(&self, node: &Node) -> bool {
        let heirs = &self.compiled.gaps.heirs;
        heirs.is_empty() || !heirs.contains(&node.name)
    }

    /// Whether nothing may name a document that is left: some that would were not read.
    pub(crate) fn lacks(&self, kinds: &[Kind]) -> bool {
        kinds.iter().any(|kind| self.index.misses(*kind))
    }

    /// Static addresses of a node with the network each is on, when that exists, and where the address is written.
    pub(crate) fn statics<'n>(
        &'n self,
        node: &'n Node,
    ) -> impl Iterator<Item = (&'n str, IpAddr, Option<&'a Network>)> {
        node.addressing
            .iter()
            .filter_map(|entry| match entry.address {
                Address::Static(address) => Some((
                    entry.network.as_str(),
                    address,
                    self.networks.get(entry.network.as_str()).copied(),
                )),
                Address::Dhcp => None,
            })
    }

    /// The place of a value of a node, in its own document or in the profile it inherits the value from.
    pub(crate) fn of_node(&self, node: &Node, path: &[&str]) -> Place {
        self.index.locate(node, path)
    }

    /// The place of a node's address on a network.
    pub(crate) fn of_address(&self, node: &Node, network: &str) -> Place {
        self.index.locate(node, &["addressing", network, "address"])
    }

    /// The place of a value of a document.
    pub(crate) fn of(&self, kind: Kind, name: &str, path: &[&str]) -> Place {
        match self.index.get(kind, name) {
            Some(document) if path.is_empty() => whole(document),
            Some(document) => at(document, path),
            None => Place::default(),
        }
    }
}
