//! Bytes from outside to texts of designs, within bounds.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use anyhow::Result;
use drydock_model::finding::{Finding, Level, Location};
use drydock_model::ingest::{Format, Source};

use crate::commands::finding;
use crate::exit::{Exit, Failure};

/// Bytes that are read of one text: what the ingester takes, and what a server takes in one request.
pub const LIMIT: u64 = 64 << 20;

/// Bytes that are read of all texts of a folder together.
pub const TOTAL_LIMIT: u64 = 512 << 20;

/// What standard input is called.
pub const STDIN: &str = "<stdin>";

/// Texts that are no design, with what is to be said about that.
#[derive(Debug)]
pub struct Unreadable {
    /// Why; at least one of level error.
    pub findings: Vec<Finding>,
    /// The texts that they point into, as far as they are at hand. Not to be read as a design: bytes that were no text are replaced.
    pub sources: Vec<Source>,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let findings = finding::show_all(&self.findings, &self.sources);
        write!(f, "the design cannot be read:\n{findings}")
    }
}

impl std::error::Error for Unreadable {}

/// The text of a file, which may be a pipe or a device.
///
/// # Errors
/// [`Unreadable`] for what is too long or not UTF-8; exit code 2 when it cannot be read at all.
pub fn of_file(path: &Path) -> Result<Source> {
    let name = path.display().to_string();
    let file = File::open(path).map_err(|error| unavailable(&name, &error))?;
    // What the file says of its length spares reading it; a pipe says 0.
    let length = file.metadata().map_or(0, |metadata| metadata.len());
    if length > LIMIT {
        return Err(too_long(&name));
    }
    of_reader(&name, file)
}

/// The text on standard input.
///
/// # Errors
/// As [`of_file`].
pub fn of_stdin() -> Result<Source> {
    of_reader(STDIN, io::stdin().lock())
}

fn of_reader(name: &str, reader: impl Read) -> Result<Source> {
    let mut bytes = Vec::new();
    reader
        .take(LIMIT + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| unavailable(name, &error))?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > LIMIT) {
        return Err(too_long(name));
    }
    of_bytes(name, bytes)
}

/// Bytes as a text.
///
/// # Errors
/// [`Unreadable`], at the first byte that is not UTF-8.
pub fn of_bytes(name: &str, bytes: Vec<u8>) -> Result<Source> {
    let source = |text: String| Source {
        name: name.into(),
        format: Format::Auto,
        text,
        without: Vec::new(),
    };
    match String::from_utf8(bytes) {
        Ok(text) => Ok(source(text)),
        Err(error) => {
            let good = error.utf8_error().valid_up_to();
            let bytes = error.into_bytes();
            let before = String::from_utf8_lossy(&bytes[..good]);
            let line = before.rsplit('\n').next().unwrap_or_default();
            let location = Location {
                source: name.into(),
                line: number(before.matches('\n').count() + 1),
                column: number(line.chars().count() + 1),
            };
            let message = format!(
                "byte {good} is 0x{:02x}: the text is not UTF-8",
                bytes[good]
            );
            let advice = "save the file as UTF-8, or convert it with iconv";
            Err(unreadable(
                message,
                advice,
                location,
                vec![source(String::from_utf8_lossy(&bytes).into_owned())],
            ))
        }
    }
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// Refuses a text for its length.
fn too_long(name: &str) -> anyhow::Error {
    let message = format!(
        "the text is longer than {} MiB ({LIMIT} bytes), and no more is read of one",
        LIMIT >> 20
    );
    let location = Location {
        source: name.into(),
        line: 1,
        column: 1,
    };
    let advice = "split it into several files, and name their folder";
    unreadable(message, advice, location, Vec::new())
}

fn unreadable(
    message: String,
    advice: &str,
    location: Location,
    sources: Vec<Source>,
) -> anyhow::Error {
    let finding = Finding {
        rule: "document/readable".into(),
        code: "DD000".into(),
        level: Level::Error,
        message,
        diagnostic: advice.into(),
        documents: Vec::new(),
        location: Some(location),
        chain: Vec::new(),
        fix: None,
    };
    anyhow::Error::new(Unreadable {
        findings: vec![finding],
        sources,
    })
}

fn unavailable(name: &str, error: &io::Error) -> anyhow::Error {
    Failure::error(Exit::Usage, format!("{name} cannot be read: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(result: Result<Source>) -> Finding {
        let error = result.expect_err("a refusal");
        assert_eq!(crate::exit::of(&error), Exit::Usage, "{error}");
        let mut unreadable = error.downcast::<Unreadable>().expect("findings");
        unreadable.findings.remove(0)
    }

    #[test]
    fn an_endless_text_is_refused() {
        let told = refusal(of_reader("x", io::repeat(b'a')));
        assert!(told.message.contains("64 MiB (67108864 bytes)"), "{told}");
        let whole = io::repeat(b'a').take(LIMIT);
        assert!(of_reader("x", whole).is_ok());
    }

    #[test]
    fn a_long_file_is_refused_by_its_length() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x.yaml");
        let file = File::create(&path).expect("a file");
        file.set_len(1 << 40).expect("a length");
        assert!(refusal(of_file(&path)).message.contains("64 MiB"));
    }

    #[test]
    fn the_first_bad_byte_is_named_by_its_place() {
        let told = refusal(of_bytes("x", b"a: 1\n\xc3\xa9: \xff\n".to_vec()));
        let place = told.location.expect("a place");
        assert_eq!((place.line, place.column), (2, 4));
        assert!(told.message.contains("byte 9 is 0xff"), "{}", told.message);
    }
}
