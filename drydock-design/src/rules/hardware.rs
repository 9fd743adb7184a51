//! Hardware profiles.

use drydock_model::finding::Level;

use super::{Look, Rule, from_compilation};

/// Each alias stands for a device of its own, that can be looked for.
pub(crate) static ALIAS: Rule = Rule {
    id: "hardware/alias",
    code: "DD5121",
    name: "Device Aliases",
    level: Level::Warning,
    what: "No two aliases of a hardware profile have the same bus and address (warning), and what stands behind regexp: is a regular expression (error).",
    why: "Two names for one device look like two: a bond of both has one port, and two disks are formatted over each other. A device whose expression cannot be read is found on no node.",
    fix: "Write the address of each device, or an expression that matches it from its beginning; remove one of two aliases for one device.",
    look: Look::Site(from_compilation),
};
