//! Values that cannot be understood; compilation finds them.

use drydock_model::finding::Level;

use super::{Look, Rule, from_compilation};

/// Addresses, numbers, sizes and words that mean what they must.
pub(crate) static VALID: Rule = Rule {
    id: "value/valid",
    code: "DD001",
    name: "Value Validity",
    level: Level::Error,
    what: "Every address, prefix, number, size, mode and word can be understood.",
    why: "What cannot be understood is left out of the compiled design, and would be missing from the machine.",
    fix: "Write the value as the message says; a size is a whole number with a unit (20g, >20g, 512mi, 50%).",
    look: Look::Site(from_compilation),
};
