//! What is known to be missing from a compiled design. What would be told of it only because of that is no fault of its own.

use drydock_model::ingest::Unread;
use hashbrown::HashSet;

/// The gaps of a compiled design; none in one that is whole.
#[derive(Clone, Debug, Default)]
pub struct Gaps {
    /// Documents that could not be read.
    pub(crate) unread: Vec<Unread>,
    /// Nodes that lack what a profile says that is not there.
    pub(crate) heirs: HashSet<String>,
    /// Nodes of which a partition or a volume was left out.
    pub(crate) storage: HashSet<String>,
    /// Nodes of which a kernel parameter was left out.
    pub(crate) parameters: HashSet<String>,
    /// Links whose bonding mode is not known.
    pub(crate) bonding: HashSet<String>,
    /// Links whose trunking mode is not known.
    pub(crate) trunking: HashSet<String>,
}

impl Gaps {
    pub(crate) fn absorb(&mut self, other: Gaps) {
        // Every field is named, so that none can be forgotten.
        let Gaps {
            unread,
            heirs,
            storage,
            parameters,
            bonding,
            trunking,
        } = other;
        self.unread.extend(unread);
        self.heirs.extend(heirs);
        self.storage.extend(storage);
        self.parameters.extend(parameters);
        self.bonding.extend(bonding);
        self.trunking.extend(trunking);
    }
}
