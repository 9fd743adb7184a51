//! `/bootactions`: what a deployed machine fetches and reports, with its deployment's own key.

use std::collections::BTreeMap;
use std::io::Read;

use drydock_model::boot::{BootContext, BootEntry, BootStatus};
use drydock_model::id::{BootActionId, IdSource, InstanceId, TaskId};
use drydock_model::step::{
    ClaimedStep, Condition, PipelinePlan, StepAction, StepPlanned, TaskPlan,
};
use drydock_model::task::{NewTask, TaskAction};
use drydock_orchestrator::system::RandomIds;
use flate2::read::GzDecoder;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::client::Answer;
use crate::server::{PATIENCE, Server};

const KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// A server on which n1 is being deployed.
struct Deployment {
    server: Server,
    /// Held for as long as the test lasts.
    step: ClaimedStep,
    task: String,
    greet: String,
    quiet: String,
}

impl Deployment {
    async fn start() -> Self {
        let mut server = Server::start().await;
        let design = server.site().await;
        let task = server.task("noop", &design, &["n1"]).await;
        server.ended(&task).await;
        // From here on the test is the one that works: on a task by the same design, which is pinned now.
        server.stop_engine().await;
        let step = deploying(&server, task.parse().unwrap()).await;
        let mut deployment = Deployment {
            server,
            task: step.task.id.to_string(),
            step,
            greet: String::new(),
            quiet: String::new(),
        };
        deployment.open(KEY).await;
        deployment
    }

    /// Opens a context with this key, as a deployment does.
    async fn open(&mut self, key: &str) {
        let ClaimedStep {
            step, token, task, ..
        } = self.step.clone();
        let entry = |name: &str, status| BootEntry {
            action_id: BootActionId(ulid::Ulid::generate()),
            name: name.to_owned(),
            status,
        };
        let entries = vec![
            entry("greet", BootStatus::Incomplete),
            entry("quiet", BootStatus::Unreported),
        ];
        self.greet = entries[0].action_id.to_string();
        self.quiet = entries[1].action_id.to_string();
        let context = BootContext {
            node: "n1".to_owned(),
            task: task.id,
            digest: task.digest.unwrap(),
            design_ref: task.design_ref,
            key_hash: Sha256::digest(hex::decode(key).unwrap()).to_vec(),
            created: task.created,
            entries,
        };
        let store = &self.server.store;
        store
            .open_boot_context(step.id, token, &context)
            .await
            .unwrap();
    }

    async fn get(&self, path: &str, key: Option<&str>) -> Answer {
        let headers: Vec<_> = key
            .map(|key| ("X-Bootaction-Key", key))
            .into_iter()
            .collect();
        let path = format!("/bootactions/{path}");
        self.server.client.send("GET", &path, &headers, "").await
    }

    async fn report(&self, action: &str, key: Option<&str>, body: &str) -> Answer {
        let mut headers = vec![("Content-Type", "application/json")];
        headers.extend(key.map(|key| ("X-Bootaction-Key", key)));
        let path = format!("/bootactions/{action}");
        self.server
            .client
            .send("POST", &path, &headers, body.to_owned())
            .await
    }

    async fn messages(&self) -> Vec<Value> {
        let task = self
            .server
            .get(&format!("/tasks/{}", self.task))
            .await
            .ok(200);
        let messages = task["result"]["details"]["messageList"]
            .as_array()
            .unwrap()
            .clone();
        messages
            .into_iter()
            .filter(|message| message["context_type"] == "bootaction")
            .collect()
    }
}

/// The claimed step of a task that deploys n1 by the design of this one.
async fn deploying(server: &Server, like: TaskId) -> ClaimedStep {
    let id = || TaskId(RandomIds.uuid());
    let like = server.store.tree(like).await.unwrap().task;
    let task = NewTask {
        id: id(),
        action: TaskAction::DeployNodes,
        design_ref: like.design_ref,
        node_filter: like.node_filter,
        priority: 0,
        dry_run: false,
        strategy: None,
        oob: None,
        plan: None,
        retry: 0,
        created_by: like.created_by,
        context_marker: None,
        idempotency_key: None,
        created: like.created,
    };
    let step = StepPlanned {
        id: id(),
        action: StepAction::DeployNode,
        condition: Condition::Always,
        timeout: PATIENCE,
    };
    let plan = TaskPlan {
        stages: vec![vec![PipelinePlan {
            id: id(),
            node: Some("n1".to_owned()),
            steps: vec![step],
        }]],
    };
    let me = InstanceId(RandomIds.uuid());
    let store = &server.store;
    store.create_task(&task).await.unwrap();
    let leader = store.claim_leadership(me, PATIENCE).await.unwrap().unwrap();
    let digest = like.digest.unwrap();
    store
        .plan_task(leader, task.id, &digest, &plan, &[])
        .await
        .unwrap();
    store.claim_steps(me, 1).await.unwrap().remove(0)
}

/// Each member's name with mode, owner, time and content.
fn members(answer: &Answer) -> BTreeMap<String, (u32, u64, u64, u64, String)> {
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/gzip"));
    let mut unpacked = Vec::new();
    GzDecoder::new(answer.bytes.as_slice())
        .read_to_end(&mut unpacked)
        .unwrap();
    let mut archive = tar::Archive::new(unpacked.as_slice());
    let mut members = BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let header = entry.header();
        assert!(header.as_gnu().is_some(), "GNU format");
        assert!(header.entry_type().is_file());
        let facts = (
            header.mode().unwrap(),
            header.uid().unwrap(),
            header.gid().unwrap(),
            header.mtime().unwrap(),
        );
        let name = entry.path().unwrap().display().to_string();
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        members.insert(name, (facts.0, facts.1, facts.2, facts.3, text));
    }
    members
}

#[tokio::test]
async fn files_and_units_come_as_archives() {
    let machine = Deployment::start().await;
    let answer = machine.get("nodes/n1/files", Some(KEY)).await;
    let files = members(&answer);
    assert_eq!(
        files.keys().collect::<Vec<_>>(),
        ["etc/greet.conf", "etc/quiet", "usr/local/bin/greet.sh"]
    );
    assert_eq!(
        files["etc/greet.conf"],
        (0o600, 0, 0, 0, "greeting: hello\n".to_owned())
    );
    assert_eq!(files["etc/quiet"].0, 0o640);
    let (mode, _, _, _, script) = &files["usr/local/bin/greet.sh"];
    assert_eq!(*mode, 0o755);
    let url = format!(
        "http://{}/api/v1.0/bootactions/{}",
        machine.server.address, machine.greet
    );
    assert!(
        script.contains(&format!("hello from n1, report to {url}")),
        "{script}"
    );
    let units = members(&machine.get("nodes/n1/units/", Some(KEY)).await);
    assert_eq!(units.len(), 1);
    assert_eq!(units["lib/systemd/system/greet.service"].0, 0o600);
    // The same input gives the same bytes, whatever the time.
    let again = machine
        .get("nodes/n1/files", Some(&KEY.to_uppercase()))
        .await;
    assert_eq!(members(&again).len(), 3);
    let same = machine.get("nodes/n1/files", Some(KEY)).await;
    assert_eq!(answer.bytes, same.bytes);
}

#[tokio::test]
async fn packages_come_as_json() {
    let machine = Deployment::start().await;
    assert_eq!(
        machine.get("nodes/n1/pkg_list", Some(KEY)).await.ok(200),
        json!({"chrony": null, "nginx": "1.18.0-0ubuntu1"})
    );
    let entries = machine.get("nodes/n1", Some(KEY)).await.ok(200);
    assert_eq!(
        entries,
        json!([
            {"action_id": machine.greet, "name": "greet", "status": "incomplete"},
            {"action_id": machine.quiet, "name": "quiet", "status": "unreported"},
        ])
    );
    let node = machine.server.get("/nodes/n1").await.ok(200);
    assert_eq!(node["boot_actions"], entries);
}

#[tokio::test]
async fn nothing_is_given_without_the_key_of_this_deployment() {
    let mut machine = Deployment::start().await;
    let other = "ff".repeat(32);
    for what in ["", "/units", "/files", "/pkg_list"] {
        let path = format!("nodes/n1{what}");
        machine.get(&path, None).await.error(401, "unauthorized");
        for wrong in [other.as_str(), "not hex", "", "00", &KEY[2..]] {
            machine
                .get(&path, Some(wrong))
                .await
                .error(403, "wrong_key");
        }
        let unknown = format!("nodes/n2{what}");
        machine
            .get(&unknown, Some(KEY))
            .await
            .error(404, "not_found");
    }
    let report = r#"{"status": "Success"}"#;
    let greet = machine.greet.clone();
    machine
        .report(&greet, None, report)
        .await
        .error(401, "unauthorized");
    for wrong in [other.as_str(), "not hex", ""] {
        machine
            .report(&greet, Some(wrong), report)
            .await
            .error(403, "wrong_key");
    }
    // Who has no key is not told what is wrong with the body.
    machine
        .report(&greet, Some(&other), "{")
        .await
        .error(403, "wrong_key");
    for unknown in ["01ARZ3NDEKTSV4RRFFQ69G5FAV", "17", "nodes"] {
        machine
            .report(unknown, Some(KEY), report)
            .await
            .error(404, "not_found");
    }
    // A fresh deployment voids the old key and the old ids.
    machine.open(&other).await;
    machine
        .get("nodes/n1/files", Some(KEY))
        .await
        .error(403, "wrong_key");
    machine
        .report(&greet, Some(KEY), report)
        .await
        .error(404, "not_found");
    members(&machine.get("nodes/n1/files", Some(&other)).await);
}

#[tokio::test]
async fn a_report_reaches_the_task_with_all_that_was_sent() {
    let machine = Deployment::start().await;
    let body = json!({"details": [{"message": "half way", "error": false, "step": 5, "deep": {"a": [1]}}]});
    // As the Go client posts it.
    let answer = machine
        .report(&format!("{}/", machine.greet), Some(KEY), &body.to_string())
        .await;
    assert_eq!(
        answer.ok(200),
        json!({"action_id": machine.greet, "name": "greet", "status": "incomplete"})
    );
    let messages = machine.messages().await;
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0]["message"], "half way");
    assert_eq!(messages[0]["extra"], json!({"step": 5, "deep": {"a": [1]}}));
    assert!(messages[0]["context"].as_str().unwrap().contains("greet"));
    assert!(!serde_json::to_string(&messages).unwrap().contains(KEY));
}

#[tokio::test]
async fn a_status_is_final() {
    for (word, status) in [
        ("Success", "success"),
        ("success", "success"),
        ("Failure", "failure"),
        ("failure", "failure"),
    ] {
        let machine = Deployment::start().await;
        let body = json!({"status": word, "details": null}).to_string();
        let entry = machine
            .report(&machine.greet, Some(KEY), &body)
            .await
            .ok(200);
        assert_eq!(entry["status"], status, "{word}");
        for later in [
            r#"{"status": "Success"}"#,
            r#"{"details": [{"message": "x"}]}"#,
        ] {
            machine
                .report(&machine.greet, Some(KEY), later)
                .await
                .error(409, "conflict");
        }
        assert_eq!(machine.messages().await.len(), 0);
        // What need not report may.
        machine
            .report(&machine.quiet, Some(KEY), &body)
            .await
            .ok(200);
    }
}

#[tokio::test]
async fn a_report_that_makes_no_sense_is_400_and_changes_nothing() {
    let machine = Deployment::start().await;
    for (body, needle) in [
        ("", "empty"),
        ("{", "JSON"),
        (r#"{"status": "done"}"#, "done"),
        (r#"{"status": "incomplete"}"#, "incomplete"),
        (r#"{"status": 5}"#, "string"),
        (r#"{"state": "Success"}"#, "state"),
        (r#"{"details": "text"}"#, "sequence"),
        (r#"{"details": [{"error": true}]}"#, "message"),
        (
            r#"{"details": [{"message": "x", "error": "yes"}]}"#,
            "boolean",
        ),
    ] {
        let message = machine
            .report(&machine.greet, Some(KEY), body)
            .await
            .error(400, "bad_request");
        assert!(message.contains(needle), "{body}: {message}");
    }
    let headers = [("X-Bootaction-Key", KEY), ("Content-Type", "text/plain")];
    let path = format!("/bootactions/{}", machine.greet);
    let answer = machine
        .server
        .client
        .send("POST", &path, &headers, "{}")
        .await;
    answer.error(415, "unsupported_media_type");
    let entries = machine.get("nodes/n1", Some(KEY)).await.ok(200);
    assert_eq!(entries[0]["status"], "incomplete");
    assert!(machine.messages().await.is_empty());
    machine
        .report(&machine.greet, Some(KEY), "{}")
        .await
        .ok(200);
}
