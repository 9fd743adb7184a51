//! `drydock design`

mod diff;
mod graph;
mod render;
mod schema;
mod validate;

use anyhow::Result;
use drydock_model::effective::EffectiveDesign;
use drydock_model::finding::Level;
use drydock_model::ingest::{Format, Source};
use drydock_model::tree::told_json;
use reqwest::Method;
use serde_json::{Value, json};

use crate::args::{DesignCommand, Output};
use crate::client::Client;
use crate::exit::{Exit, Failure};
use crate::print;
use crate::source::{self, Named, Unreadable};

/// Runs it.
pub async fn run(client: &Client, command: DesignCommand) -> Result<Exit> {
    match command {
        DesignCommand::Upload { source, output } => {
            let id = match source::open_all(&source).await? {
                Named::Uploaded(base) => create(client, Some(&base)).await?,
                Named::Local(sources) => upload(client, &sources).await?,
            };
            print::value(
                output,
                &json!({ "design": id, "design_ref": format!("design:{id}") }),
                |value| print::text(&value["design_ref"]),
            )?;
            Ok(Exit::Done)
        }
        DesignCommand::List { source, output } if source.is_empty() => {
            let ids = client.get("/designs").await?;
            print::value(output, &ids, |ids| {
                ids.as_array()
                    .into_iter()
                    .flatten()
                    .map(|id| format!("design:{}", print::text(id)))
                    .collect::<Vec<_>>()
                    .join("\n")
            })?;
            Ok(Exit::Done)
        }
        DesignCommand::List { source, output } => {
            let parts = match source::open_all(&source).await? {
                Named::Uploaded(id) => client.get(&format!("/designs/{id}/parts")).await?,
                Named::Local(sources) => {
                    let read = read(&sources)?;
                    read.documents
                        .iter()
                        .map(|document| json!({ "kind": document.kind, "key": document.name }))
                        .collect()
                }
            };
            print::value(output, &parts, |parts| {
                let mut table = print::table(&["kind", "name"]);
                for part in parts.as_array().into_iter().flatten() {
                    table.add_row([print::text(&part["kind"]), print::text(&part["key"])]);
                }
                table.to_string()
            })?;
            Ok(Exit::Done)
        }
        DesignCommand::Show {
            source,
            compiled,
            node,
            output,
        } => show(client, &source, compiled, node.as_deref(), output).await,
        DesignCommand::Render { source, output } => render::run(&source, output).await,
        DesignCommand::Schema { kind, output } => schema::run(kind, output),
        DesignCommand::Validate(args) => validate::run(client, &args).await,
        DesignCommand::Diff {
            before,
            after,
            output,
        } => diff::run(client, &before, &after, output).await,
        DesignCommand::Graph {
            source,
            format,
            node,
        } => graph::run(client, &source, format, node.as_deref()).await,
    }
}

/// Uploads texts as one new design; its id. A tree of layers goes as one text, rendered.
///
/// # Errors
/// The server's findings; the half-made design is deleted again.
pub async fn upload(client: &Client, sources: &[Source]) -> Result<String> {
    let rendered = source::to_send(sources)?;
    let sources = rendered.as_ref().map_or(sources, std::slice::from_ref);
    let id = create(client, None).await?;
    for source in sources {
        let ingester = match source.format {
            Format::Yaml => "yaml",
            Format::Deckhand => "deckhand",
            Format::Auto => "auto",
        };
        let name: String = url::form_urlencoded::byte_serialize(source.name.as_bytes()).collect();
        let path = format!("/designs/{id}/parts?ingester={ingester}&name={name}");
        if let Err(error) = client.post_yaml(&path, source.text.clone()).await {
            let _ = client
                .ask(Method::DELETE, &format!("/designs/{id}"), None)
                .await;
            return Err(error);
        }
    }
    Ok(id)
}

async fn create(client: &Client, base: Option<&str>) -> Result<String> {
    let body = base.map_or_else(|| json!({}), |base| json!({ "base_design_id": base }));
    let design = client.post("/designs", &body).await?;
    design["id"].as_str().map(str::to_owned).ok_or_else(|| {
        Failure::error(
            Exit::Failed,
            "the server made a design and did not say which",
        )
    })
}

fn read(sources: &[Source]) -> Result<source::Read> {
    source::compile(sources).map_err(|findings| {
        anyhow::Error::new(Unreadable {
            findings,
            sources: sources.to_vec(),
        })
    })
}

/// A compiled design from wherever it was named.
enum Taken {
    /// As the server tells it: without secrets.
    Told(Value),
    /// Compiled here.
    Compiled(Box<EffectiveDesign>),
}

/// Takes a design from where it was named. One with errors is taken as far as it can be understood, and that is told on standard error.
async fn take(client: &Client, source: &str) -> Result<Taken> {
    match source::open(source).await? {
        Named::Uploaded(id) => {
            let path = format!("/designs/{id}?source=compiled");
            Ok(Taken::Told(client.get(&path).await?))
        }
        Named::Local(sources) => {
            let read = read(&sources)?;
            let errors = read
                .findings
                .iter()
                .filter(|finding| finding.level == Level::Error);
            match errors.count() {
                0 => {}
                errors => eprintln!(
                    "drydock: {} has {errors} error(s), which drydock design validate tells; what could not be understood is left out",
                    source::without_secrets(source)
                ),
            }
            Ok(Taken::Compiled(Box::new(read.compiled.design)))
        }
    }
}

async fn show(
    client: &Client,
    source: &[String],
    compiled: bool,
    node: Option<&str>,
    output: Output,
) -> Result<Exit> {
    // A table of nodes tells of what is meant, not of what is written.
    let compiled = compiled || output == Output::Table;
    let mut whole = match source::open_all(source).await? {
        Named::Uploaded(id) => {
            client
                .get(&format!(
                    "/designs/{id}?source={}",
                    if compiled { "compiled" } else { "designed" }
                ))
                .await?
        }
        Named::Local(sources) => {
            let read = read(&sources)?;
            if compiled {
                told_json(&read.compiled.design)
            } else {
                json!({ "parts": read.documents.iter().map(|document| document.to_json(false)).collect::<Vec<_>>() })
            }
        }
    };
    if let Some(name) = node {
        let list = if compiled {
            &whole["nodes"]
        } else {
            &whole["parts"]
        };
        let found = list
            .as_array()
            .into_iter()
            .flatten()
            .find(|part| part["name"] == name && (compiled || part["kind"] == "BaremetalNode"))
            .or_else(|| {
                list.as_array().into_iter().flatten().find(|part| {
                    part["metadata"]["name"] == name && part["kind"] == "BaremetalNode"
                })
            });
        whole = found.cloned().ok_or_else(|| {
            Failure::error(
                Exit::NotFound,
                format!("{} has no node {name}", source.join(", ")),
            )
        })?;
    }
    print::value(output, &whole, |whole| {
        let one = std::slice::from_ref(whole);
        let nodes = whole["nodes"].as_array().map_or(one, Vec::as_slice);
        let mut table = print::table(&[
            "node",
            "domain",
            "rack",
            "image",
            "primary address",
            "BMC",
            "tags",
        ]);
        for node in nodes {
            table.add_row([
                print::text(&node["name"]),
                print::text(&node["domain"]),
                print::text(&node["rack"]),
                print::text(&node["platform"]["image"]),
                primary_address(node),
                print::text(&node["oob"]["address"]),
                node["tags"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(print::text)
                    .collect::<Vec<_>>()
                    .join(", "),
            ]);
        }
        table.to_string()
    })?;
    Ok(Exit::Done)
}

fn primary_address(node: &Value) -> String {
    let entry = node["addressing"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|entry| entry["network"] == node["primary_network"]);
    entry.map_or_else(String::new, |entry| match &entry["address"] {
        Value::Object(address) => print::text(&address["static"]),
        other => print::text(other),
    })
}
