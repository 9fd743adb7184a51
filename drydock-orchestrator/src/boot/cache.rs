//! Archives made lately: a machine that asks again, or a thousand that boot at once, are not rendered for anew.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use drydock_model::effective::AssetKind;

/// Bytes kept at most.
const BOUND: usize = 64 << 20;

/// What an archive was made for. The hash of the key stands for the deployment: a fresh one renders anew.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub node: String,
    pub kind: AssetKind,
    pub key_hash: Vec<u8>,
}

/// The archives, youngest first.
#[derive(Default)]
pub(super) struct Archives(Mutex<VecDeque<(Wanted, Bytes)>>);

impl Archives {
    pub(super) fn get(&self, wanted: &Wanted) -> Option<Bytes> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter()
            .find(|(made_for, _)| made_for == wanted)
            .map(|(_, bytes)| bytes.clone())
    }

    pub(super) fn put(&self, made_for: Wanted, bytes: Bytes) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // What a former deployment of the node was given is of no use any more.
        kept.retain(|(other, _)| !(other.node == made_for.node && other.kind == made_for.kind));
        kept.push_front((made_for, bytes));
        let mut sum = 0;
        kept.retain(|(_, bytes)| {
            sum += bytes.len();
            sum <= BOUND
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(node: &str, key: u8) -> Wanted {
        Wanted {
            node: node.into(),
            kind: AssetKind::File,
            key_hash: vec![key],
        }
    }

    #[test]
    fn a_fresh_deployment_replaces_the_old() {
        let archives = Archives::default();
        archives.put(wanted("a", 1), Bytes::from_static(&[1]));
        assert_eq!(archives.get(&wanted("a", 1)).as_deref(), Some(&[1][..]));
        archives.put(wanted("a", 2), Bytes::from_static(&[2]));
        assert_eq!(archives.get(&wanted("a", 1)), None);
        assert_eq!(archives.get(&wanted("a", 2)).as_deref(), Some(&[2][..]));
    }

    #[test]
    fn the_oldest_go_when_there_is_too_much() {
        let archives = Archives::default();
        let half = Bytes::from(vec![0; BOUND / 2]);
        for node in ["a", "b", "c"] {
            archives.put(wanted(node, 1), half.clone());
        }
        assert_eq!(archives.get(&wanted("a", 1)), None);
        assert!(archives.get(&wanted("b", 1)).is_some() && archives.get(&wanted("c", 1)).is_some());
    }
}
