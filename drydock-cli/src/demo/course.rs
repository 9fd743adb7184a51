//! The course of a demo: the tasks an operator would start, one after another, each on the nodes that came through so far.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::{Value, json};

use crate::client::Client;
use crate::demo::view::View;
use crate::print;

/// How often the live view is drawn anew.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Tasks of the site, and tasks of its nodes, in order.
const COURSE: [(&str, bool); 5] = [
    ("verify_site", false),
    ("prepare_site", false),
    ("verify_nodes", true),
    ("prepare_nodes", true),
    ("deploy_nodes", true),
];

/// What became of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Not there yet.
    OnItsWay,
    /// Deployed, boot actions reported.
    Deployed,
    /// Failed.
    Failed,
}

impl Fate {
    /// For the table.
    pub fn word(self) -> &'static str {
        match self {
            Fate::OnItsWay => "not deployed",
            Fate::Deployed => "deployed",
            Fate::Failed => "FAILED",
        }
    }
}

/// A node of the summary.
pub struct NodeResult {
    /// Name.
    pub name: String,
    /// What became of it.
    pub fate: Fate,
    /// When it was there, in seconds from the first task.
    pub seconds: Option<f64>,
}

/// What came of it all.
pub struct Outcome {
    /// The nodes.
    pub nodes: Vec<NodeResult>,
    /// Whether the tasks of the site succeeded.
    pub site_ok: bool,
    /// Changes made to the world, by the journal.
    pub changes: usize,
    /// Error messages of the tasks.
    pub problems: Vec<String>,
}

/// A demo under way.
pub struct Course<'a> {
    client: &'a Client,
    design_ref: String,
    started: Instant,
    view: View,
    outcome: Outcome,
}

impl<'a> Course<'a> {
    /// Over these nodes.
    pub fn new(client: &'a Client, design_ref: String, names: &[String], view: View) -> Self {
        let nodes = names
            .iter()
            .map(|name| NodeResult {
                name: name.clone(),
                fate: Fate::OnItsWay,
                seconds: None,
            })
            .collect();
        let outcome = Outcome {
            nodes,
            site_ok: true,
            changes: 0,
            problems: Vec::new(),
        };
        Course {
            client,
            design_ref,
            started: Instant::now(),
            view,
            outcome,
        }
    }

    /// All tasks.
    pub async fn run(mut self) -> Result<Outcome> {
        for (action, on_nodes) in COURSE {
            let names: Vec<&str> = self
                .outcome
                .nodes
                .iter()
                .filter(|node| node.fate != Fate::Failed)
                .map(|node| node.name.as_str())
                .collect();
            if on_nodes && names.is_empty() {
                break;
            }
            // A subset only once a node has dropped out: "all" is what an operator would say.
            let filter = (on_nodes && names.len() < self.outcome.nodes.len())
                .then(|| json!({ "filter_set_type": "union", "filter_set": [{ "filter_type": "union", "node_names": names }] }));
            let body =
                json!({ "action": action, "design_ref": self.design_ref, "node_filter": filter });
            let task = self.client.post("/tasks", &body).await?;
            let tree = self.follow(&print::text(&task["task_id"]), action).await?;
            self.count(&tree, action, on_nodes).await?;
            if !self.outcome.site_ok {
                break;
            }
        }
        self.view.close();
        Ok(self.outcome)
    }

    /// Watches a task to its end.
    async fn follow(&mut self, id: &str, action: &str) -> Result<Value> {
        loop {
            let tree = self.client.get(&format!("/tasks/{id}?layers=-1")).await?;
            self.draw(&tree, id, action);
            if matches!(tree[id]["status"].as_str(), Some("complete" | "terminated")) {
                return Ok(tree);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn draw(&mut self, tree: &Value, id: &str, action: &str) {
        let seconds = self.started.elapsed().as_secs_f64();
        self.view.site(action, &tree[id]["progress"], seconds);
        for child in tree[id]["subtask_id_list"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
        {
            let share = &tree[child];
            let Some(name) = share["node_filter"]["filter_set"][0]["node_names"][0].as_str() else {
                continue;
            };
            let state = print::text(&share["result"]["status"]);
            let phase = match state.as_str() {
                "success" => format!("{action}: done"),
                "failure" => format!("{action}: failed"),
                _ => format!("{action}: {}", current(tree, share)),
            };
            let result = self.outcome.nodes.iter_mut().find(|node| node.name == name);
            if let Some(node) = result
                && node.fate == Fate::OnItsWay
            {
                match (action, state.as_str()) {
                    ("deploy_nodes", "success") => node.fate = Fate::Deployed,
                    (_, "failure") => node.fate = Fate::Failed,
                    _ => {}
                }
                if node.fate != Fate::OnItsWay {
                    node.seconds = Some(seconds);
                }
                self.view.node(name, &phase, seconds, node.fate);
            }
        }
    }

    async fn count(&mut self, tree: &Value, action: &str, on_nodes: bool) -> Result<()> {
        let Some(id) = tree["init_task_id"].as_str() else {
            return Ok(());
        };
        let result = &tree[id]["result"];
        let good = matches!(result["status"].as_str(), Some("success"));
        if !good {
            for message in result["details"]["messageList"]
                .as_array()
                .into_iter()
                .flatten()
                .filter(|message| message["error"] == true)
            {
                self.outcome
                    .problems
                    .push(format!("{action}: {}", print::text(&message["message"])));
            }
            // A task of nodes that never got to its nodes is a fault of the site, too.
            if !on_nodes || result["failures"].as_array().is_none_or(Vec::is_empty) {
                self.outcome.site_ok = false;
            }
        }
        let journal = self.client.get(&format!("/tasks/{id}/journal")).await?;
        self.outcome.changes += journal
            .as_array()
            .into_iter()
            .flatten()
            .filter(|entry| entry["outcome"] == "done")
            .count();
        Ok(())
    }
}

/// What a node is at: the first of its actions that has not ended, and for what that waits.
fn current(tree: &Value, share: &Value) -> String {
    let actions = share["subtask_id_list"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str);
    let open = actions
        .map(|id| &tree[id])
        .find(|action| !matches!(action["status"].as_str(), Some("complete" | "terminated")));
    open.map_or_else(String::new, |action| match action["waiting_for"].as_str() {
        Some(reason) => format!("{}, waits for {reason}", print::text(&action["action"])),
        None => print::text(&action["action"]),
    })
}
