//! A long stream read in pieces, each on a thread of its own.
//!
//! A line that begins with `---` ends whatever stands before it (YAML 1.2.2, section 9.1.2), so a stream can be cut there. A piece has
//! the three characters that end it, so that its last value ends as it does in the whole; after them it has an empty document, which
//! counts for nothing. This is for sound texts only: whenever a piece has a fault, or all of them together cost too much, the stream is read again as a whole, so
//! that faults and their order are those of one reader.

use std::thread;

use drydock_model::tree::Tree;

use super::{Limits, Outcome, stream};

/// A shorter piece is read before another thread has begun.
const LEAST_BYTES: usize = 64 << 10;

/// More threads would wait for memory rather than work.
const MOST_PIECES: usize = 8;

/// How many pieces a text is worth.
pub(super) fn how_many(text: &str) -> usize {
    let worth = text.len() / LEAST_BYTES;
    if worth < 2 {
        return 1;
    }
    let processors = thread::available_parallelism().map_or(1, usize::from);
    worth.min(processors).min(MOST_PIECES)
}

/// What is made of the documents of a stream, in their order. `None`: it must be read as a whole.
pub(super) fn parse<T: Send>(
    text: &str,
    limits: &Limits,
    each: &(impl Fn(Tree) -> T + Sync),
    wanted: usize,
) -> Option<Vec<T>> {
    let pieces = cut(text, wanted);
    if pieces.len() < 2 {
        return None;
    }
    let read = |piece: &Piece<'_>| stream(piece.text, piece.lines_before, limits, each);
    let (first, others) = pieces.split_first()?;
    let outcomes: Vec<Outcome<T>> = thread::scope(|scope| {
        let threads: Vec<_> = others
            .iter()
            .map(|piece| scope.spawn(|| read(piece)))
            .collect();
        // This thread works too: each further one takes memory of its own.
        let first = Some(read(first));
        let others = threads.into_iter().map(|thread| thread.join().ok());
        [first].into_iter().chain(others).collect::<Option<_>>()
    })?;
    let nodes: usize = outcomes.iter().map(|outcome| outcome.cost.nodes).sum();
    let nodes = nodes.saturating_sub(pieces.len() - 1);
    let repeated_nodes: usize = outcomes
        .iter()
        .map(|outcome| outcome.cost.repeated_nodes)
        .sum();
    let repeated_bytes: usize = outcomes
        .iter()
        .map(|outcome| outcome.cost.repeated_bytes)
        .sum();
    let sound = outcomes.iter().all(|outcome| outcome.faults.is_empty());
    let within = nodes <= limits.nodes
        && repeated_nodes <= limits.repeated_nodes
        && repeated_bytes <= limits.repeated_bytes;
    (sound && within).then(|| {
        outcomes
            .into_iter()
            .flat_map(|outcome| outcome.made)
            .collect()
    })
}

/// What begins a document.
const MARK: &str = "---";

struct Piece<'a> {
    text: &'a str,
    lines_before: usize,
}

/// Pieces of about the same length. One piece when the text has directives, which hold for the document after them, or line breaks
/// that are not easily counted.
fn cut(text: &str, wanted: usize) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let (mut start, mut lines_before) = (0, 0);
    let breaks = |text: &str| text.bytes().filter(|byte| *byte == b'\n').count();
    if wanted > 1 && !text.starts_with('%') && !text.contains("\n%") && !has_lone_return(text) {
        for number in 1..wanted {
            let Some(end) = document_start(text, (text.len() / wanted * number).max(start)) else {
                break;
            };
            let piece = &text[start..end];
            pieces.push(Piece {
                text: &text[start..end + MARK.len()],
                lines_before,
            });
            lines_before += breaks(piece);
            start = end;
        }
    }
    pieces.push(Piece {
        text: &text[start..],
        lines_before,
    });
    pieces
}

/// Where the next line begins that starts a document.
fn document_start(text: &str, from: usize) -> Option<usize> {
    let from = (from..text.len()).find(|at| text.is_char_boundary(*at))?;
    text[from..].match_indices("\n---").find_map(|(at, mark)| {
        let after = text[from + at + mark.len()..].bytes().next();
        matches!(after, None | Some(b' ' | b'\t' | b'\r' | b'\n')).then_some(from + at + 1)
    })
}

fn has_lone_return(text: &str) -> bool {
    text.contains('\r')
        && text
            .as_bytes()
            .windows(2)
            .any(|pair| pair[0] == b'\r' && pair[1] != b'\n')
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn whole(text: &str, limits: &Limits) -> Outcome<Tree> {
        stream(text, 0, limits, &|tree| tree)
    }

    fn in_pieces(text: &str, limits: &Limits, wanted: usize) -> Option<Vec<Tree>> {
        parse(text, limits, &|tree| tree, wanted)
    }

    const SOUND: &str = "a: 1\n---\nb: |\n  x\n ---\n--- # c\n- 2\n- ä\n---\nc: [3]\n--- {d: 4}\n";

    #[test]
    fn pieces_say_what_the_whole_says() {
        for text in [SOUND.to_owned(), SOUND.replace('\n', "\r\n")] {
            let text = text
                .replace(" ---\r", "  ---\r")
                .replace(" ---\n", "  ---\n");
            let expected = whole(&text, &Limits::default());
            assert_eq!(expected.faults, []);
            assert_eq!(expected.made.len(), 5);
            for wanted in 2..9 {
                let made = in_pieces(&text, &Limits::default(), wanted).unwrap();
                assert!(made == expected.made, "{wanted}: {made:?}");
            }
        }
    }

    #[test]
    fn what_cannot_be_cut_is_not() {
        for text in [
            "a: 1\n...\n%YAML 1.2\n---\nb: 2\n",
            "a: 1\r---\rb: 2\n---\nc: 3\n",
            "a: 1\n---b: 2\n",
            "a: [1\n---\n2]\n",
            "a: 'x\n---\ny'\n",
        ] {
            assert!(in_pieces(text, &Limits::default(), 2).is_none(), "{text:?}");
        }
    }

    #[test]
    fn limits_hold_for_all_pieces_together() {
        let text = "- 1\n- 2\n- 3\n---\n- 4\n";
        let limits = |nodes| Limits {
            nodes,
            ..Limits::default()
        };
        assert!(in_pieces(text, &limits(6), 2).is_some());
        assert!(in_pieces(text, &limits(5), 2).is_none());
        assert_eq!(whole(text, &limits(5)).faults.len(), 1);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

        /// Whatever the lines: pieces give what the whole gives, or nothing.
        #[test]
        fn pieces_never_say_anything_else(
            lines in proptest::collection::vec(
                prop_oneof![
                    Just("---"), Just("--- |"), Just("a: 1"), Just("a: &x [1]"), Just("b: *x"), Just("  - ü"), Just("'"),
                    Just("..."), Just("%TAG ! x"), Just("- ["), Just("]"), Just("# c"), Just(""), Just("t: |"), Just("  ---"),
                    Just("--- 'a"), Just("---x"),
                ],
                0..16,
            ),
            wanted in 2usize..5,
        ) {
            let text = lines.join("\n");
            if let Some(made) = in_pieces(&text, &Limits::default(), wanted) {
                let expected = whole(&text, &Limits::default());
                prop_assert_eq!(&expected.faults, &[]);
                prop_assert!(made == expected.made, "{:?} is not {:?}", made, expected.made);
            }
        }
    }
}
