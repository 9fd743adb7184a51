//! Text to positioned trees. The only file that names the YAML parser (docs/adr/0001-yaml-parser.md).
//!
//! YAML 1.2 core schema, with what designs written for YAML 1.1 readers use besides: merge keys (`<<`). Every stream is read in
//! bounded time and memory ([`Limits`]); a document that cannot be read does not hide those after it.

mod build;
mod pieces;
mod scalar;
mod words;

use drydock_model::tree::{Position, Tree};
use granit_parser::{Event, Marker, Parser, ScalarStyle, Tag, options};

pub(crate) use build::weigh;
use build::{Builder, Cost, Halt};

/// What a text may cost at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Size of the text in bytes.
    pub bytes: usize,
    /// Lists and maps within each other.
    pub depth: usize,
    /// Values in the whole stream, those that aliases repeat included.
    pub nodes: usize,
    /// Values that aliases and merge keys repeat.
    pub repeated_nodes: usize,
    /// Bytes of text that aliases and merge keys repeat.
    pub repeated_bytes: usize,
    /// Faults told; reading stops after so many.
    pub faults: usize,
}

impl Default for Limits {
    /// 64 MiB of text (what the API takes), 64 deep, two million values, of which aliases may repeat a tenth.
    fn default() -> Self {
        Limits {
            bytes: 64 << 20,
            depth: 64,
            nodes: 2_000_000,
            repeated_nodes: 200_000,
            repeated_bytes: 16 << 20,
            faults: 100,
        }
    }
}

/// Why a text is not a stream of usable documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub position: Option<Position>,
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    pub advice: String,
}

/// The documents of a stream and what is wrong with the others.
#[derive(Clone, Debug, Default)]
pub struct Parsed {
    /// Documents without faults, in order; empty ones are left out.
    pub documents: Vec<Tree>,
    /// Faults in order.
    pub faults: Vec<Fault>,
}

/// Reads a stream.
#[must_use]
pub fn parse(text: &str, limits: &Limits) -> Parsed {
    let (documents, faults) = parse_each(text, limits, &|tree| tree);
    Parsed { documents, faults }
}

/// Reads a stream and makes something of each document, on several threads where the text is long. What comes of it, and which faults
/// are told, does not depend on the threads.
pub(crate) fn parse_each<T: Send>(
    text: &str,
    limits: &Limits,
    each: &(impl Fn(Tree) -> T + Sync),
) -> (Vec<T>, Vec<Fault>) {
    if text.len() > limits.bytes {
        let fault = Fault {
            position: None,
            message: format!(
                "the text is {} bytes long; at most {} are read",
                text.len(),
                limits.bytes
            ),
            advice: "split the design into several files".into(),
        };
        return (Vec::new(), vec![fault]);
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if let Some(made) = pieces::parse(text, limits, each, pieces::how_many(text)) {
        return (made, Vec::new());
    }
    let whole = stream(text, 0, limits, each);
    (whole.made, whole.faults)
}

/// What was read of a stream, or of a piece of one.
struct Outcome<T> {
    made: Vec<T>,
    faults: Vec<Fault>,
    cost: Cost,
}

/// Reads a text that begins after so many lines of its source.
fn stream<T>(
    text: &str,
    lines_before: usize,
    limits: &Limits,
    each: &impl Fn(Tree) -> T,
) -> Outcome<T> {
    let mut made = Vec::new();
    let mut faults = Vec::new();
    let position = |marker: &Marker| position(marker, lines_before);
    let depth = limits.depth + 1;
    let parser_options =
        options! { emit_comments: false, flow_nesting_limit: depth, block_nesting_limit: depth };
    let mut parser = Parser::new_from_str_with_options(text, parser_options);
    let mut builder = Builder::new(limits);
    loop {
        let halt = match parser.next_event() {
            None => break,
            Some(Ok((Event::DocumentEnd, _))) => {
                let tree = builder.finish(&faults);
                made.extend(tree.filter(|tree| !tree.is_null()).map(each));
                None
            }
            Some(Ok((mut event, span))) => {
                if span.end.byte_offset() == Some(text.len()) {
                    without_added_break(&mut event, text);
                }
                let tag_place = position(&span.tag_start().unwrap_or(span.start));
                let place = position(&span.start);
                feed(&mut builder, &mut faults, event, place, tag_place).err()
            }
            Some(Err(error)) => {
                faults.push(Fault {
                    position: Some(position(error.marker())),
                    message: format!("this is not YAML: {}", error.info()),
                    advice: advice(text, error.marker()),
                });
                Some(Halt::Document)
            }
        };
        match halt {
            _ if faults.len() >= limits.faults => break,
            None => {}
            Some(Halt::Stream) => break,
            Some(Halt::Document) => {
                builder.abandon();
                match parser.proceed_next_document() {
                    Ok(true) => {}
                    _ => break,
                }
            }
        }
    }
    Outcome {
        made,
        faults,
        cost: builder.cost(),
    }
}

fn feed(
    builder: &mut Builder<'_>,
    faults: &mut Vec<Fault>,
    event: Event<'_>,
    position: Position,
    tag_place: Position,
) -> Result<(), Halt> {
    match event {
        Event::DocumentStart(..) => builder.start(faults),
        Event::Alias(anchor) => builder.alias(anchor, position, faults)?,
        Event::Scalar(text, style, anchor, tag) => {
            let bare = style == ScalarStyle::Plain && anchor == 0 && tag.is_none();
            if bare && builder.known_key(&text, position, faults)? {
                return Ok(());
            }
            let value = scalar::resolve(&text, style, tag.as_deref(), tag_place, faults);
            builder.leaf(value, position, anchor, faults)?;
        }
        Event::SequenceStart(_, anchor, tag) => {
            scalar::check_collection_tag(tag.as_deref(), "seq", tag_place, faults);
            builder.open_sequence(position, anchor, faults)?;
        }
        Event::MappingStart(_, anchor, tag) => {
            scalar::check_collection_tag(tag.as_deref(), "map", tag_place, faults);
            builder.open_mapping(position, anchor, faults)?;
        }
        Event::SequenceEnd | Event::MappingEnd => builder.close(faults)?,
        _ => {}
    }
    Ok(())
}

/// A block scalar whose last line ends with the text, not with a line break, has none either (YAML 1.2.2, section 8.1.1.2). The parser adds
/// one, which would tell two texts apart that PyYAML and so Deckhand take for the same.
fn without_added_break(event: &mut Event<'_>, text: &str) {
    let last_line = text.rsplit(['\n', '\r']).next().unwrap_or_default();
    if let Event::Scalar(scalar, ScalarStyle::Literal | ScalarStyle::Folded, ..) = event
        && !last_line.trim().is_empty()
        && scalar.ends_with('\n')
    {
        scalar.to_mut().pop();
    }
}

/// The parser counts columns from 0.
fn position(marker: &Marker, lines_before: usize) -> Position {
    Position::new(
        lines_before + marker.line().max(1),
        marker.col().saturating_add(1),
    )
}

/// YAML forbids tabs in indentation, and says so in ways that few understand.
fn advice(text: &str, marker: &Marker) -> String {
    let line = text
        .lines()
        .nth(marker.line().saturating_sub(1))
        .unwrap_or_default();
    let indentation: &str = &line[..line.len() - line.trim_start().len()];
    if indentation.contains('\t') {
        "this line is indented with a tab; YAML allows spaces only".into()
    } else {
        "check the indentation, the quotes and the brackets at and just before this place".into()
    }
}
