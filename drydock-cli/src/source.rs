//! Designs as the command line names them: a file, a folder, a URL, `design:<uuid>`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use drydock_ingester::DesignIngester;
use drydock_model::design::Document;
use drydock_model::finding::Finding;
use drydock_model::ingest::{Format, Ingester, Source};
use drydock_model::reference::References;
use drydock_reference::{Fetcher, ReferenceSettings};

use crate::exit::{Exit, Failure};

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

/// Finds out what was named, and reads it unless it is the server's.
///
/// # Errors
/// Exit code 3 when there is no such file.
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
        let bytes = fetcher.fetch(name).await?;
        let text = String::from_utf8(bytes).with_context(|| format!("{name} is not UTF-8 text"))?;
        return Ok(Named::Local(vec![Source {
            name: name.into(),
            format: Format::Auto,
            text,
            without: Vec::new(),
        }]));
    }
    Ok(Named::Local(read_path(Path::new(name))?))
}

/// The texts of a file or of all YAML files below a folder, in the order of their names.
///
/// # Errors
/// Exit code 3 when there is none.
pub fn read_path(path: &Path) -> Result<Vec<Source>> {
    let mut files = Vec::new();
    if path.is_dir() {
        collect(path, &mut files)
            .with_context(|| format!("the folder {} cannot be read", path.display()))?;
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
    files
        .into_iter()
        .map(|file| {
            let bytes = std::fs::read(&file)
                .with_context(|| format!("{} cannot be read", file.display()))?;
            let text = String::from_utf8(bytes)
                .with_context(|| format!("{} is not UTF-8 text", file.display()))?;
            Ok(Source {
                name: file.display().to_string().into(),
                format: Format::Auto,
                text,
                without: Vec::new(),
            })
        })
        .collect()
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
