//! What is told while documents are read. The rules look at the others, those that could be read. The ingester finds these;
//! they stand here for their pages.

use drydock_model::finding::Level;

use super::{Look, Rule, from_compilation};

const fn reading(
    id: &'static str,
    code: &'static str,
    name: &'static str,
    [what, why, fix]: [&'static str; 3],
) -> Rule {
    Rule {
        id,
        code,
        name,
        level: Level::Error,
        what,
        why,
        fix,
        look: Look::Site(from_compilation),
    }
}

/// Why a text, or a document of it, cannot be taken. Their level cannot be changed: nothing acts on a design of which a part is not known.
pub static READING: [Rule; 8] = [
    reading(
        "document/readable",
        "DD000",
        "Readable Text",
        [
            "The text is YAML, within the limits of size, depth and repetition, and no key stands twice in a map.",
            "What stands after the fault, or which of two values was meant, would be a guess.",
            "Look at the indentation, the quotes and the brackets at the place and just before it; tabs cannot indent.",
        ],
    ),
    reading(
        "document/form",
        "DD000",
        "Document Form",
        [
            "Each document has one of the two forms, and that which the reader was told to expect.",
            "A document of no form has no kind and no name.",
            "Begin it with `apiVersion: drydock/v1` and `kind`, or with `schema: drydock/<Kind>/v1`.",
        ],
    ),
    reading(
        "document/kind",
        "DD000",
        "Document Kind",
        [
            "The kind is one of the eight.",
            "Nobody would read a document of another kind.",
            "Correct the spelling; kinds are written with capitals, as in BaremetalNode.",
        ],
    ),
    reading(
        "document/name",
        "DD000",
        "Document Name",
        [
            "Each document has a name.",
            "Other documents refer to it by name.",
            "Set metadata.name to a text.",
        ],
    ),
    reading(
        "document/body",
        "DD000",
        "Document Body",
        [
            "Each document has a body: spec in the yaml form, data in the deckhand form.",
            "A document without one says nothing, and was probably cut off.",
            "Write the body, or remove the document.",
        ],
    ),
    reading(
        "document/schema",
        "DD001",
        "Document Schema",
        [
            "Each field is known where it stands, and has the type that it must have.",
            "What is not understood would silently be lost.",
            "Correct the field as the message says; it often names the one that was meant.",
        ],
    ),
    reading(
        "document/layering",
        "DD000",
        "Document Layering",
        [
            "In a tree of layers: there is one layering policy, each document stands in one of its layers, selects one parent at most, and takes from it what is there.",
            "A document that is layered over the wrong parent, or over none, comes out as something that nobody wrote.",
            "Correct the labels, the layer or the action that the message names; when it says that a folder is missing, give the folders of all layers together.",
        ],
    ),
    reading(
        "document/substitution",
        "DD000",
        "Document Substitution",
        [
            "In a tree of layers: each substitution names a document that is there, a value in it, and a place where the value can go; no document is made of itself.",
            "What is not substituted is missing from the design: a password, a key, a whole list of packages.",
            "Correct the source's schema, name or path, or give the folder that holds the source, too.",
        ],
    ),
];
