//! Values that cannot be understood; compilation finds them.

use drydock_model::finding::Level;

use super::{Rule, from_compilation};

/// Addresses, numbers, sizes and words that mean what they must.
pub(crate) static VALID: Rule = Rule {
    id: "value/valid",
    code: "DD001",
    name: "Value Validity",
    level: Level::Error,
    run: from_compilation,
};
