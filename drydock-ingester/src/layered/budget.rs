//! What rendering may cost: a small tree of documents can ask for an endless one.

use drydock_model::tree::{Position, Tree};

use crate::parse::{Limits, weigh};

/// Steps of looking and matching for each value that may be made.
const STEPS_PER_NODE: usize = 200;

/// Why a document cannot be rendered.
pub(super) enum Trouble {
    /// Something in the documents is wrong.
    Wrong(Box<Wrong>),
    /// The limits are used up; nothing more is rendered.
    Spent,
}

/// What is wrong, and where.
pub(super) struct Wrong {
    pub(super) topic: Topic,
    pub(super) position: Position,
    pub(super) message: String,
    pub(super) advice: String,
}

/// Which of the rules a finding is of.
#[derive(Clone, Copy)]
pub(super) enum Topic {
    Layering,
    Substitution,
}

impl Topic {
    pub(super) fn rule(self) -> &'static str {
        match self {
            Topic::Layering => "document/layering",
            Topic::Substitution => "document/substitution",
        }
    }

    /// A trouble of this rule.
    pub(super) fn wrong(
        self,
        position: Position,
        message: impl Into<String>,
        advice: impl Into<String>,
    ) -> Trouble {
        Trouble::Wrong(Box::new(Wrong {
            topic: self,
            position,
            message: message.into(),
            advice: advice.into(),
        }))
    }
}

/// What is left of the limits.
pub(super) struct Budget {
    nodes: usize,
    bytes: usize,
    steps: usize,
    depth: usize,
}

impl Budget {
    pub(super) fn new(limits: &Limits) -> Self {
        Budget {
            nodes: limits.nodes,
            bytes: limits.bytes,
            steps: limits.nodes.saturating_mul(STEPS_PER_NODE),
            depth: limits.depth,
        }
    }

    /// A value is copied to so many segments below the root of a document. `Ok(false)`: it would stand too deep there.
    pub(super) fn copy(&mut self, tree: &Tree, below: usize) -> Result<bool, Trouble> {
        let (nodes, bytes, depth) = weigh(tree);
        take(&mut self.nodes, nodes)?;
        take(&mut self.bytes, bytes)?;
        Ok(depth + below <= self.depth)
    }

    /// So many empty values are made.
    pub(super) fn make(&mut self, nodes: usize) -> Result<(), Trouble> {
        take(&mut self.nodes, nodes)
    }

    /// A text of so many bytes is made.
    pub(super) fn write(&mut self, bytes: usize) -> Result<(), Trouble> {
        take(&mut self.bytes, bytes)
    }

    /// So many steps are taken.
    pub(super) fn walk(&mut self, steps: usize) -> Result<(), Trouble> {
        take(&mut self.steps, steps)
    }
}

fn take(from: &mut usize, wanted: usize) -> Result<(), Trouble> {
    *from = from.checked_sub(wanted).ok_or(Trouble::Spent)?;
    Ok(())
}
