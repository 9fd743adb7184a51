//! The label `noconfig`: for provisioning only, not configured on the deployed system.

use super::{Interface, Link, Network};

/// The label. Any value counts.
const NOCONFIG: &str = "noconfig";

impl Link {
    /// Whether nothing on it is configured on a deployed system.
    #[must_use]
    pub fn is_noconfig(&self) -> bool {
        self.labels.contains_key(NOCONFIG)
    }
}

impl Network {
    /// Whether it is configured on no deployed system.
    #[must_use]
    pub fn is_noconfig(&self) -> bool {
        self.labels.contains_key(NOCONFIG)
    }
}

impl Interface {
    /// Whether it is for provisioning only: by its own label, by that of its link, or because each of its networks has it. `network` finds a
    /// network of the design. An interface that has a network beside those is configured, without them.
    pub fn is_noconfig<'n>(
        &self,
        link: Option<&Link>,
        network: impl Fn(&str) -> Option<&'n Network>,
    ) -> bool {
        self.labels.contains_key(NOCONFIG)
            || link.is_some_and(Link::is_noconfig)
            || (!self.networks.is_empty()
                && self
                    .networks
                    .iter()
                    .all(|name| network(name).is_some_and(Network::is_noconfig)))
    }
}
