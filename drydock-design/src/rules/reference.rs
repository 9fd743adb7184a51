//! Names that lead nowhere; compilation finds them.

use drydock_model::finding::Level;

use super::{Rule, from_compilation};

/// Host profiles exist and do not inherit in a circle.
pub(crate) static HOST_PROFILE: Rule = Rule {
    id: "reference/host-profile",
    code: "DD5001",
    name: "Host Profile Reference",
    level: Level::Error,
    run: from_compilation,
};

/// Hardware profiles exist.
pub(crate) static HARDWARE_PROFILE: Rule = Rule {
    id: "reference/hardware-profile",
    code: "DD5002",
    name: "Hardware Profile Reference",
    level: Level::Error,
    run: from_compilation,
};

/// Links exist.
pub(crate) static LINK: Rule = Rule {
    id: "reference/link",
    code: "DD5003",
    name: "Network Link Reference",
    level: Level::Error,
    run: from_compilation,
};

/// Networks exist.
pub(crate) static NETWORK: Rule = Rule {
    id: "reference/network",
    code: "DD5004",
    name: "Network Reference",
    level: Level::Error,
    run: from_compilation,
};

/// Racks of nodes are defined.
pub(crate) static RACK: Rule = Rule {
    id: "reference/rack",
    code: "DD5005",
    name: "Rack Reference",
    level: Level::Warning,
    run: from_compilation,
};

/// Local networks of racks exist.
pub(crate) static LOCAL_NETWORK: Rule = Rule {
    id: "reference/local-network",
    code: "DD5006",
    name: "Rack Local Network Reference",
    level: Level::Warning,
    run: from_compilation,
};
