//! Designs as the command line names them: files, folders, a URL, standard input, `design:<uuid>`.

mod several;
mod text;

use std::path::{Path, PathBuf};

use anyhow::Result;
use drydock_ingester::DesignIngester;
use drydock_model::design::Document;
use drydock_model::finding::Finding;
use drydock_model::ingest::{Ingester, Source};
use drydock_model::reference::{ReferenceFault, References};
use drydock_reference::{Fetcher, ReferenceSettings};

use crate::exit::{Exit, Failure};

pub use several::{open_all, read_paths, render, to_send};
pub use text::Unreadable;

/// A design named on the command line.
pub enum Named {
    /// One of the server's, by id.
    Uploaded(String),
    /// Texts at hand.
    Local(Vec<Source>),
}

/// What a local design is.
pub struct Read {
    /// Its documents.
    pub documents: Vec<Document>,
    /// What it means.
    pub compiled: drydock_design::Compiled,
    /// All findings.
    pub findings: Vec<Finding>,
}

/// Finds out what was named, and reads it unless it is the server's. `-` is standard input. Files and folders that
/// are one design together, such as the layers of a tree, may be named with commas between.
///
/// # Errors
/// [`Unreadable`] for what is no text or too long; exit code 3 when there is no such file.
pub async fn open(name: &str) -> Result<Named> {
    if let Some(id) = name.strip_prefix("design:") {
        return Ok(Named::Uploaded(id.to_owned()));
    }
    if let Some((scheme, _)) = name.split_once("://")
        && matches!(scheme, "http" | "https")
    {
        let fetcher = Fetcher::new(ReferenceSettings {
            allow_refs: vec![name.to_owned()],
            ..ReferenceSettings::default()
        })?;
        let bytes = fetcher.fetch(name).await.map_err(|error| {
            let exit = match error.fault {
                ReferenceFault::NotFound => Exit::NotFound,
                _ => Exit::Usage,
            };
            Failure::error(exit, error.message)
        })?;
        let source = text::of_bytes(&without_secrets(name), bytes)?;
        return Ok(Named::Local(vec![source]));
    }
    if name == "-" {
        return Ok(Named::Local(vec![text::of_stdin()?]));
    }
    Ok(Named::Local(several::read_named(name)?))
}

/// A file, or all YAML files below a folder, in the order of their names.
///
/// # Errors
/// Exit code 3 when there is none, 2 when it cannot be read.
fn yaml_files(path: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    if path.is_dir() {
        collect(path, &mut files).map_err(|error| {
            Failure::error(
                Exit::Usage,
                format!("the folder {} cannot be read: {error}", path.display()),
            )
        })?;
        if files.is_empty() {
            return Err(Failure::error(
                Exit::NotFound,
                format!("the folder {} holds no .yaml or .yml file", path.display()),
            ));
        }
    } else if path.exists() {
        files.push(path.to_owned());
    } else {
        return Err(Failure::error(
            Exit::NotFound,
            format!(
                "there is no file or folder {}; a design may also be a URL or design:<uuid>",
                path.display()
            ),
        ));
    }
    Ok(files)
}

/// The texts of files.
///
/// # Errors
/// [`Unreadable`] for what is no text or too long.
fn read_files(files: &[PathBuf]) -> Result<Vec<Source>> {
    let mut texts = Vec::new();
    let mut total = 0;
    for file in files {
        let text = text::of_file(file)?;
        total += u64::try_from(text.text.len()).unwrap_or(u64::MAX);
        if total > text::TOTAL_LIMIT {
            return Err(Failure::error(
                Exit::Usage,
                format!(
                    "the files up to {} are longer than {} MiB together, and no more is read of one design",
                    file.display(),
                    text::TOTAL_LIMIT >> 20
                ),
            ));
        }
        texts.push(text);
    }
    Ok(texts)
}

/// A URL without user, password and query, which may be secrets: it becomes the name of a text, and that is told.
pub fn without_secrets(url: &str) -> String {
    let Ok(mut url) = url::Url::parse(url) else {
        return url.split(['?', '#']).next().unwrap_or(url).to_owned();
    };
    // These only fail for URLs without a host.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url.into()
}

fn collect(folder: &Path, into: &mut Vec<PathBuf>) -> std::io::Result<()> {
    let mut entries: Vec<_> = std::fs::read_dir(folder)?.collect::<std::io::Result<Vec<_>>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            collect(&path, into)?;
        } else if path
            .extension()
            .is_some_and(|extension| extension == "yaml" || extension == "yml")
        {
            // Nobody named it, so nobody need be there to write to it: reading would wait for ever.
            if !path.metadata()?.is_file() {
                return Err(std::io::Error::other(format!(
                    "{} is not a regular file",
                    path.display()
                )));
            }
            into.push(path);
        }
    }
    Ok(())
}

/// Reads, compiles and checks texts, as the server would.
///
/// # Errors
/// The findings, when a text is no design.
pub fn compile(sources: &[Source]) -> Result<Read, Vec<Finding>> {
    let documents = DesignIngester::default().ingest(sources)?;
    let compiled = drydock_design::compile(&documents, drydock_design::digest(sources));
    let findings = drydock_design::validate(&documents, &compiled);
    Ok(Read {
        documents,
        compiled,
        findings,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_told_without_its_secrets() {
        assert_eq!(
            without_secrets("https://joe:hush@h:8443/a/b.yaml?token=hush#x"),
            "https://h:8443/a/b.yaml"
        );
    }
}
