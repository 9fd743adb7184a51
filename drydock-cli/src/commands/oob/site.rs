//! Who carries out a command to controllers: a server, or an engine in this process. Both tell the same.

mod here;
mod interrupt;
mod view;

use std::collections::BTreeMap;

use anyhow::Result;
use drydock_model::oob::OobCommand;
use serde_json::{Value, json};

use crate::args::OobScope;
use crate::client::Client;
use crate::commands::task;
use crate::exit::{Exit, Failure};
use crate::{print, source};
use here::Here;
use view::View;

/// What the design says of a node's controller.
pub struct Designed {
    /// `ipmi`, `redfish`, ...
    pub kind: String,
    /// Its address.
    pub address: Option<String>,
}

/// Controllers by node; empty where the design cannot be looked at.
pub type Controllers = BTreeMap<String, Designed>;

/// A task that has ended.
pub struct Ended {
    /// Its id.
    pub id: String,
    /// The task and its parts, by id, as the API shows them.
    pub tree: Value,
    /// What it found out.
    pub build_data: Vec<Value>,
}

impl Ended {
    fn root(&self) -> &Value {
        &self.tree[&self.id]
    }

    /// The word for what came of it.
    pub fn result(&self) -> &str {
        self.root()["result"]["status"].as_str().unwrap_or_default()
    }

    /// Everything that was said.
    pub fn messages(&self) -> impl Iterator<Item = String> {
        let list = &self.root()["result"]["details"]["messageList"];
        let list = list.as_array().into_iter().flatten();
        list.map(|message| print::text(&message["message"]))
    }
}

/// Who carries it out.
pub enum Site {
    /// A server, by this design.
    Server { client: Client, design_ref: String },
    /// This process.
    Here(Box<Here>),
}

impl Site {
    /// The one that the command line asks for.
    ///
    /// # Errors
    /// When there is no such design, or it cannot be read.
    pub async fn open(url: &str, scope: &OobScope) -> Result<Self> {
        if let Some(design) = &scope.direct {
            return Ok(Site::Here(Box::new(Here::start(design, scope).await?)));
        }
        let client = Client::new(url)?;
        let design_ref = match &scope.design {
            Some(design) => task::design_ref(&client, design).await?,
            None => newest(&client).await?,
        };
        Ok(Site::Server { client, design_ref })
    }

    /// As tasks name the design.
    pub fn design_ref(&self) -> &str {
        match self {
            Site::Server { design_ref, .. } => design_ref,
            Site::Here(here) => here.named(),
        }
    }

    /// Whether it is this process.
    pub fn is_here(&self) -> bool {
        matches!(self, Site::Here(_))
    }

    /// The nodes that are meant, in the order of the design.
    ///
    /// # Errors
    /// Exit code 3 when a name is none of the design's, or none is selected.
    pub async fn names(&self, scope: &OobScope) -> Result<Vec<String>> {
        let filter = filter(scope);
        let selected = match self {
            Site::Server { client, design_ref } => {
                let body = json!({ "design_ref": design_ref, "node_filter": filter });
                let names = client.post("/nodefilter", &body).await?;
                names
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(print::text)
                    .collect()
            }
            Site::Here(here) => here.select(&filter)?,
        };
        let unknown: Vec<&str> = scope
            .nodes
            .iter()
            .map(String::as_str)
            .filter(|name| !selected.iter().any(|known: &String| known == name))
            .collect();
        if !unknown.is_empty() {
            return Err(Failure::error(
                Exit::NotFound,
                format!(
                    "{} has no node {}; nothing was done",
                    self.design_ref(),
                    unknown.join(", ")
                ),
            ));
        }
        if selected.is_empty() {
            return Err(Failure::error(
                Exit::NotFound,
                format!("{} has no such node; nothing was done", self.design_ref()),
            ));
        }
        match self {
            Site::Server { .. } => Ok(selected),
            Site::Here(here) => here.driven(selected, &scope.nodes),
        }
    }

    /// Waits for something that can be given up at any moment.
    ///
    /// # Errors
    /// Its own, and when somebody asks to stop.
    pub async fn unless_interrupted<T>(
        &mut self,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        match self {
            // Nothing listens to signals: they end the process.
            Site::Server { .. } => work.await,
            Site::Here(here) => here.unless_interrupted(work).await,
        }
    }

    /// Carries out a command on these nodes and waits for its end.
    ///
    /// # Errors
    /// Exit code 5 after so many seconds.
    pub async fn run(
        &mut self,
        names: &[String],
        command: OobCommand,
        dry_run: bool,
        timeout: Option<f64>,
    ) -> Result<Ended> {
        let mut view = View::new(names.len());
        match self {
            Site::Server { client, design_ref } => {
                let body = json!({
                    "action": "oob_nodes", "parameters": command, "design_ref": design_ref,
                    "node_filter": of_names(names), "dry_run": dry_run,
                });
                let task = client.post_once("/tasks", &body).await?;
                let id = print::text(&task["task_id"]);
                let waited = task::watch::until_end(client, &id, timeout, |event, data| {
                    view.tell(&event.name, data);
                    Ok(())
                })
                .await;
                view.close();
                waited?;
                let tree = client.get(&format!("/tasks/{id}?layers=2")).await?;
                let build_data = found_out(client, &format!("/tasks/{id}/builddata")).await?;
                Ok(Ended {
                    id,
                    tree,
                    build_data,
                })
            }
            Site::Here(here) => {
                let ended = here.run(names, command, dry_run, timeout, &mut view).await;
                view.close();
                ended
            }
        }
    }

    /// What is kept of what was found out about these nodes, the newest of each kind.
    ///
    /// # Errors
    /// When the server cannot tell.
    pub async fn kept(&self, names: &[String]) -> Result<Vec<Value>> {
        let Site::Server { client, .. } = self else {
            return Ok(Vec::new());
        };
        let mut all = Vec::new();
        for name in names {
            let name: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
            all.extend(found_out(client, &format!("/nodes/{name}/builddata?latest=true")).await?);
        }
        Ok(all)
    }

    /// What the design says of the controllers. A design that only the server can read is not looked at.
    pub async fn controllers(&self) -> Controllers {
        match self {
            Site::Server { client, design_ref } => {
                let Some(id) = design_ref.strip_prefix("design:") else {
                    return Controllers::new();
                };
                let path = format!("/designs/{id}?source=compiled");
                let design = client.get(&path).await.unwrap_or(Value::Null);
                let nodes = design["nodes"].as_array().into_iter().flatten();
                nodes
                    .map(|node| {
                        let designed = Designed {
                            kind: print::text(&node["oob"]["kind"]),
                            address: node["oob"]["address"].as_str().map(str::to_owned),
                        };
                        (print::text(&node["name"]), designed)
                    })
                    .collect()
            }
            Site::Here(here) => here.controllers(),
        }
    }

    /// Ends what was begun for this command, whatever came of it.
    ///
    /// # Errors
    /// What came of the command, else what could not be ended in order.
    pub async fn close(self, result: Result<Exit>) -> Result<Exit> {
        match self {
            Site::Server { .. } => result,
            Site::Here(here) => {
                let closed = here.close().await;
                let exit = result?;
                closed.map(|()| exit)
            }
        }
    }
}

/// Build data; none is no fault.
async fn found_out(client: &Client, path: &str) -> Result<Vec<Value>> {
    match client.get(path).await {
        Ok(Value::Array(list)) => Ok(list),
        Ok(_) => Ok(Vec::new()),
        Err(error) if crate::exit::of(&error) == Exit::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// The design of the newest task, told on standard error: whoever does not name one ought to see which it is.
async fn newest(client: &Client) -> Result<String> {
    let tasks = client.get("/tasks?limit=1&sort=-created").await?;
    let design_ref = print::text(&tasks[0]["design_ref"]);
    if design_ref.is_empty() {
        return Err(Failure::error(
            Exit::Usage,
            "which design? The server has no task yet, so its newest says nothing; give --design (a file, or design:<uuid>), or --direct DESIGN to do without a server",
        ));
    }
    eprintln!("by {design_ref}, the design of the newest task (--design names another)");
    Ok(design_ref)
}

fn filter(scope: &OobScope) -> Value {
    if scope.all {
        return Value::Null;
    }
    json!({
        "filter_set_type": "union",
        "filter_set": [{
            "filter_type": "union",
            "node_names": scope.nodes,
            "node_tags": scope.node_tags,
            "rack_names": scope.rack_names,
        }],
    })
}

/// What was looked at is what is sent, whatever the design comes to select by then.
fn of_names(names: &[String]) -> Value {
    json!({
        "filter_set_type": "union",
        "filter_set": [{ "filter_type": "union", "node_names": names }],
    })
}

/// A design of this machine as one that can be kept: a tree of layers is rendered.
async fn local(design: &str) -> Result<Vec<drydock_model::ingest::Source>> {
    match source::open(design).await? {
        source::Named::Local(sources) => Ok(match source::to_send(&sources)? {
            Some(rendered) => vec![rendered],
            None => sources,
        }),
        source::Named::Uploaded(_) => Err(Failure::error(
            Exit::Usage,
            format!("--direct {design}: that is a server's; name files, folders or a URL"),
        )),
    }
}
