//! `drydock design`

use anyhow::Result;
use drydock_model::finding::{Finding, Level, told};
use drydock_model::ingest::{Format, Source};
use reqwest::Method;
use serde_json::{Value, json};

use crate::args::{DesignCommand, Output};
use crate::client::Client;
use crate::commands::finding;
use crate::exit::{Exit, Failure};
use crate::print;
use crate::source::{self, Named};

/// Runs it.
pub async fn run(client: &Client, command: DesignCommand) -> Result<Exit> {
    match command {
        DesignCommand::Upload { source, output } => {
            let id = match source::open(&source).await? {
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
        DesignCommand::List {
            source: None,
            output,
        } => {
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
        DesignCommand::List {
            source: Some(source),
            output,
        } => {
            let parts = match source::open(&source).await? {
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
        DesignCommand::Validate {
            source,
            all,
            output,
        } => validate(client, &source, all, output).await,
    }
}

/// Uploads texts as one new design; its id.
///
/// # Errors
/// The server's findings; the half-made design is deleted again.
pub async fn upload(client: &Client, sources: &[Source]) -> Result<String> {
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
        Failure::error(
            Exit::Usage,
            format!("the design cannot be read:\n{}", told(&findings, "\n")),
        )
    })
}

async fn show(
    client: &Client,
    source: &str,
    compiled: bool,
    node: Option<&str>,
    output: Output,
) -> Result<Exit> {
    // A table of nodes tells of what is meant, not of what is written.
    let compiled = compiled || output == Output::Table;
    let mut whole = match source::open(source).await? {
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
                json!(read.compiled.design)
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
            Failure::error(Exit::NotFound, format!("{source} has no node {name}"))
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

async fn validate(client: &Client, source: &str, all: bool, output: Output) -> Result<Exit> {
    match source::open(source).await? {
        Named::Uploaded(id) => {
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
            print::value(output, &answer, |answer| {
                let messages = answer["details"]["messageList"]
                    .as_array()
                    .cloned()
                    .unwrap_or_default();
                let shown = messages
                    .iter()
                    .filter(|message| all || message["level"] != "Info");
                let mut lines: Vec<_> = shown
                    .map(|message| {
                        let at = &message["location"];
                        let place = if at.is_null() {
                            String::new()
                        } else {
                            format!(
                                "{}:{}:{}: ",
                                print::text(&at["source"]),
                                at["line"],
                                at["column"]
                            )
                        };
                        format!(
                            "{place}{} [{}]: {}",
                            print::text(&message["level"]),
                            print::text(&message["name"]),
                            print::text(&message["message"])
                        )
                    })
                    .collect();
                lines.push(print::text(&answer["message"]));
                lines.join("\n")
            })?;
            Ok(if status.is_success() {
                Exit::Done
            } else {
                Exit::Failed
            })
        }
        Named::Local(sources) => {
            let (findings, readable) = match source::compile(&sources) {
                Ok(read) => (read.findings, true),
                Err(findings) => (findings, false),
            };
            let shown: Vec<&Finding> = findings
                .iter()
                .filter(|finding| all || finding.level != Level::Info)
                .collect();
            let count = |level: Level| {
                findings
                    .iter()
                    .filter(|finding| finding.level == level)
                    .count()
            };
            let (errors, warnings) = (count(Level::Error), count(Level::Warning));
            let value = json!({ "errors": errors, "warnings": warnings, "findings": shown });
            print::value(output, &value, |_| {
                let mut lines: Vec<_> = shown
                    .iter()
                    .map(|finding| format!("{}\n", finding::show(finding, &sources)))
                    .collect();
                lines.push(format!("{errors} error(s), {warnings} warning(s)"));
                lines.join("\n")
            })?;
            Ok(match (readable, errors) {
                (false, _) => Exit::Usage,
                (true, 0) => Exit::Done,
                (true, _) => Exit::Failed,
            })
        }
    }
}
