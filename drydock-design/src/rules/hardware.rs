//! Hardware profiles.

use drydock_model::finding::Level;

use super::{Rule, from_compilation};

/// Each alias stands for a device of its own.
pub(crate) static ALIAS: Rule = Rule {
    id: "hardware/alias",
    code: "DD5121",
    name: "Device Aliases",
    level: Level::Warning,
    what: "No two aliases of a hardware profile have the same bus and address.",
    why: "Two names for one device look like two: a bond of both has one port, and two disks are formatted over each other.",
    fix: "Write the address of each device, or remove one of the aliases.",
    run: from_compilation,
};
