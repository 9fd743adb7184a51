//! Compiled designs that are kept, within a bound on their memory.

use std::sync::{Arc, Weak};

use drydock_model::id::Digest;
use drydock_model::ingest::Source;

use super::CompiledSite;

/// Compiled designs, the least recently used out first. One that was put out, or never fitted, is still known for as long as somebody works
/// with it: its memory is taken anyway, and it is not compiled a second time beside itself.
pub(super) struct Cache {
    bound: usize,
    held: usize,
    clock: u64,
    entries: Vec<Entry>,
}

struct Entry {
    site: Weak<CompiledSite>,
    digest: Digest,
    bytes: usize,
    /// Keeps the design; absent when it was put out.
    hold: Option<Arc<CompiledSite>>,
    /// When it was last asked for, in questions.
    used: u64,
}

impl Cache {
    /// One that holds designs of so many bytes together.
    pub(super) fn new(bound: usize) -> Self {
        Cache {
            bound,
            held: 0,
            clock: 0,
            entries: Vec::new(),
        }
    }

    /// The design of this digest.
    pub(super) fn get(&mut self, digest: &Digest) -> Option<Arc<CompiledSite>> {
        self.clock += 1;
        let clock = self.clock;
        let entry = self
            .entries
            .iter_mut()
            .find(|entry| entry.digest == *digest)?;
        entry.used = clock;
        entry.site.upgrade()
    }

    /// Designs of as many texts with the same lengths: whether they are the same design is for the caller to see, who need not hold a lock
    /// for that.
    pub(super) fn alike(&self, sources: &[Source]) -> Vec<Arc<CompiledSite>> {
        let alike = |site: &Arc<CompiledSite>| {
            site.sources.len() == sources.len()
                && site
                    .sources
                    .iter()
                    .zip(sources)
                    .all(|(one, other)| one.text.len() == other.text.len())
        };
        self.entries
            .iter()
            .filter_map(|entry| entry.site.upgrade())
            .filter(alike)
            .collect()
    }

    /// Takes a design that holds so many bytes, in place of one of the same digest.
    pub(super) fn put(&mut self, site: &Arc<CompiledSite>, bytes: usize) {
        self.clock += 1;
        let mut held = self.held;
        self.entries.retain(|entry| {
            let stays = entry.digest != site.digest && entry.site.strong_count() > 0;
            if !stays && entry.hold.is_some() {
                held -= entry.bytes;
            }
            stays
        });
        self.held = held;
        let fits = bytes <= self.bound;
        if fits {
            self.make_room(bytes);
            self.held += bytes;
        }
        self.entries.push(Entry {
            site: Arc::downgrade(site),
            digest: site.digest.clone(),
            bytes,
            hold: fits.then(|| Arc::clone(site)),
            used: self.clock,
        });
    }

    fn make_room(&mut self, bytes: usize) {
        while self.held + bytes > self.bound {
            let oldest = self
                .entries
                .iter_mut()
                .filter(|entry| entry.hold.is_some())
                .min_by_key(|entry| entry.used);
            let Some(oldest) = oldest else {
                return;
            };
            oldest.hold = None;
            self.held -= oldest.bytes;
        }
    }
}
