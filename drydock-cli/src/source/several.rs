//! A design that stands in several places: the folders of a tree of layers.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};
use drydock_ingester::{DesignIngester, Rendered, to_stream};
use drydock_model::finding::Finding;
use drydock_model::ingest::{Format, Source};

use super::{Named, Unreadable, open, read_files, yaml_files};
use crate::exit::{Exit, Failure};

/// What a rendered tree is called when it is sent to a server.
const RENDERED: &str = "rendered.yaml";

/// Opens all that was named, as one design. A design of the server stands alone.
///
/// # Errors
/// As [`open`]; exit code 2 for a design of the server among others.
pub async fn open_all(names: &[String]) -> Result<Named> {
    if let [name] = names {
        return open(name).await;
    }
    let mut paths = Vec::new();
    let mut others = Vec::new();
    for name in names {
        if is_path(name) {
            paths.extend(split(name));
            continue;
        }
        match open(name).await? {
            Named::Local(sources) => others.extend(sources),
            Named::Uploaded(_) => {
                return Err(Failure::error(
                    Exit::Usage,
                    format!("{name} is a design by itself; it cannot be put together with files"),
                ));
            }
        }
    }
    let mut sources = read_paths(&paths)?;
    sources.extend(others);
    Ok(Named::Local(sources))
}

/// Whether a name is one of files and folders.
pub(super) fn is_path(name: &str) -> bool {
    name != "-" && !name.starts_with("design:") && !name.contains("://")
}

/// The texts of a file or folder, or of several with commas between.
///
/// # Errors
/// As [`read_paths`].
pub(super) fn read_named(name: &str) -> Result<Vec<Source>> {
    read_paths(&split(name))
}

/// A path may have a comma in its name.
fn split(name: &str) -> Vec<PathBuf> {
    if Path::new(name).exists() || !name.contains(',') {
        return vec![name.into()];
    }
    name.split(',').map(PathBuf::from).collect()
}

/// The texts of files and folders together. A file that is in two of them is read once.
///
/// # Errors
/// [`Unreadable`] for what is no text or too long; exit code 3 when one of them is not there.
pub fn read_paths(paths: &[PathBuf]) -> Result<Vec<Source>> {
    let mut files = Vec::new();
    let mut seen = HashSet::new();
    for path in paths {
        for file in yaml_files(path)? {
            // What cannot be found now is told when it is read.
            let same = file.canonicalize().unwrap_or_else(|_| file.clone());
            if seen.insert(same) {
                files.push(file);
            }
        }
    }
    read_files(&files)
}

/// The documents of Drydock in texts, after layering and substitution.
///
/// # Errors
/// [`Unreadable`], with every finding.
pub fn render(sources: &[Source]) -> Result<Vec<Rendered>> {
    let documents = DesignIngester::default()
        .render(sources)
        .map_err(|findings| unreadable(findings, sources))?;
    warn(&documents);
    Ok(documents)
}

/// Tells people what is odd, beside what is printed.
fn warn(documents: &[Rendered]) {
    for warning in documents.iter().filter_map(|one| one.warning.as_ref()) {
        eprintln!("{warning}");
    }
}

/// What is sent to a server for these texts: a tree as one text, rendered, in which a comment before each document names its file. `None`:
/// they are no tree, and can be sent one by one.
///
/// # Errors
/// [`Unreadable`], with every finding.
pub fn to_send(sources: &[Source]) -> Result<Option<Source>> {
    let Some(rendered) = DesignIngester::default().render_tree(sources) else {
        return Ok(None);
    };
    let documents = rendered.map_err(|findings| unreadable(findings, sources))?;
    warn(&documents);
    let text = to_stream(&documents)
        .map_err(|error| anyhow!("the rendered design cannot be written: {error}"))?;
    Ok(Some(Source {
        name: RENDERED.into(),
        format: Format::Deckhand,
        text,
        without: Vec::new(),
    }))
}

fn unreadable(findings: Vec<Finding>, sources: &[Source]) -> anyhow::Error {
    anyhow::Error::new(Unreadable {
        findings,
        sources: sources.to_vec(),
    })
}
