//! What a sample of a rule is.

use drydock_model::finding::Level;

/// A sample that a rule speaks of: the rule, the level, what to alter in the sound design, and the place and a word of the message.
pub struct Case {
    pub rule: &'static str,
    pub level: Level,
    pub edits: &'static [(&'static str, &'static str)],
    pub place: &'static str,
    pub says: &'static str,
}

pub const fn error(
    rule: &'static str,
    edits: &'static [(&'static str, &'static str)],
    place: &'static str,
    says: &'static str,
) -> Case {
    Case {
        rule,
        level: Level::Error,
        edits,
        place,
        says,
    }
}

pub const fn warning(
    rule: &'static str,
    edits: &'static [(&'static str, &'static str)],
    place: &'static str,
    says: &'static str,
) -> Case {
    Case {
        rule,
        level: Level::Warning,
        edits,
        place,
        says,
    }
}

pub const fn info(
    rule: &'static str,
    edits: &'static [(&'static str, &'static str)],
    place: &'static str,
    says: &'static str,
) -> Case {
    Case {
        rule,
        level: Level::Info,
        edits,
        place,
        says,
    }
}
