//! `drydock design validate`

use std::collections::HashMap;

use anyhow::{Context, Result};
use drydock_model::design::Document;
use drydock_model::finding::{DocumentRef, Finding, Level, Location};
use drydock_model::ingest::Source;
use reqwest::Method;
use serde_json::json;

use crate::args::ValidateArgs;
use crate::client::Client;
use crate::commands::finding::judgement::Judgement;
use crate::commands::finding::received;
use crate::commands::finding::report::Report;
use crate::exit::{self, Exit, Failure};
use crate::print;
use crate::source::{self, Named, Unreadable};

/// What there is to say of a design.
struct Checked {
    findings: Vec<Finding>,
    /// The texts, as far as they are at hand.
    sources: Vec<Source>,
    /// Where its documents stand, as far as it is known.
    places: HashMap<DocumentRef, Location>,
    readable: bool,
}

/// Validates, and prints what was found. Ends with [`Exit::Failed`] for findings of level error and for nothing else.
pub(super) async fn run(client: &Client, args: &ValidateArgs) -> Result<Exit> {
    let judgement = Judgement::new(args.least(), &args.allow, &args.deny)?;
    let checked = check(client, &args.source)
        .await
        .map_err(|error| match exit::of(&error) {
            Exit::Failed => Failure::error(Exit::Usage, format!("{error:#}")),
            _ => error,
        })?;
    let findings = judgement.judge(checked.findings);
    let mut report = Report::new(&findings, &checked.sources, |finding| {
        judgement.shows(finding)
    });
    report.places = checked.places;
    report.readable = checked.readable;
    report.print(args.output)?;
    Ok(match (report.readable, report.count(Level::Error)) {
        (false, _) => Exit::Usage,
        (true, 0) => Exit::Done,
        (true, _) => Exit::Failed,
    })
}

async fn check(client: &Client, source: &[String]) -> Result<Checked> {
    match source::open_all(source).await {
        Ok(Named::Uploaded(id)) => by_server(client, &id).await,
        Ok(Named::Local(sources)) => Ok(here(sources)),
        Err(error) => error.downcast::<Unreadable>().map(|unreadable| Checked {
            findings: unreadable.findings,
            sources: unreadable.sources,
            places: HashMap::new(),
            readable: false,
        }),
    }
}

fn here(sources: Vec<Source>) -> Checked {
    let (read, readable) = source::check(&sources);
    Checked {
        findings: read.findings,
        sources,
        places: places(&read.documents),
        readable,
    }
}

fn places(documents: &[Document]) -> HashMap<DocumentRef, Location> {
    documents
        .iter()
        .map(|document| (document.reference(), document.name_location()))
        .collect()
}

async fn by_server(client: &Client, id: &str) -> Result<Checked> {
    // A design that is not there is no invalid one.
    client.get(&format!("/designs/{id}/parts")).await?;
    let body = json!({ "href": format!("design:{id}") });
    let (status, answer) = client
        .ask(
            Method::POST,
            "/validatedesign",
            Some(("application/json", body.to_string())),
        )
        .await?;
    if answer["kind"] != "Status" {
        let exit = if status == 404 {
            Exit::NotFound
        } else {
            Exit::Usage
        };
        return Err(Failure::error(exit, print::text(&answer["message"])));
    }
    let findings = received::findings(&answer)
        .context("the server's findings cannot be understood; is it of another version?")?;
    Ok(Checked {
        findings,
        sources: Vec::new(),
        places: HashMap::new(),
        readable: true,
    })
}
