//! Boot-action contexts and reports.

use std::sync::Arc;
use std::time::Duration;

use drydock_model::boot::{BootContext, BootEntry, BootStatus};
use drydock_model::id::{BootActionId, TaskId};
use drydock_model::step::{ClaimedStep, PipelinePlan, Step, StepAction, StepStatus};
use drydock_model::store::{Store, StoreError, StoreResult};
use serde_json::json;
use ulid::Ulid;
use uuid::Uuid;

use crate::place::{
    Place, claim_one, digest, done, facts, id, instance, lead, message, nodes, pipeline, plan,
    planned,
};

fn action() -> BootActionId {
    BootActionId(Ulid(Uuid::new_v4().as_u128()))
}

pub fn context(node: &str, task: TaskId) -> BootContext {
    let entry = |name: &str, status| BootEntry {
        action_id: action(),
        name: name.into(),
        status,
    };
    BootContext {
        node: node.to_owned(),
        task,
        digest: digest(),
        design_ref: "file:///site.yaml".to_owned(),
        key_hash: (0..32).collect(),
        created: chrono::DateTime::UNIX_EPOCH,
        entries: vec![
            entry("z-first", BootStatus::Incomplete),
            entry("a-second", BootStatus::Unreported),
            entry("m-third", BootStatus::Incomplete),
        ],
    }
}

/// By the holder of this claim.
pub async fn open(
    store: &Arc<dyn Store>,
    claim: &ClaimedStep,
    context: &BootContext,
) -> StoreResult<()> {
    store
        .open_boot_context(claim.step.id, claim.token, context)
        .await
}

fn deployment(node: &str) -> PipelinePlan {
    let mut pipeline = pipeline(Some(node), 2);
    pipeline.steps[1].action = StepAction::BootactionReport;
    pipeline
}

pub async fn a_fresh_context_voids_the_old(place: Place) {
    let store = place.open().await;
    let leader = lead(&store).await;
    let task = planned(&store, leader, &plan([nodes(&["n1", "n2"])])).await;
    let (n1, n2) = (claim_one(&store).await, claim_one(&store).await);
    assert_eq!(store.boot_context("n1").await, Err(StoreError::NotFound));
    let old = context("n1", task);
    open(&store, &n1, &old).await.unwrap();
    open(&store, &n2, &context("n2", task)).await.unwrap();
    let found = store.boot_context("n1").await.unwrap();
    assert_eq!(
        found,
        BootContext {
            created: found.created,
            ..old.clone()
        }
    );
    assert!(found.created > old.created, "the store says when");
    assert_eq!(
        store
            .boot_context_of(old.entries[1].action_id)
            .await
            .unwrap(),
        found
    );
    let fresh = BootContext {
        key_hash: vec![9; 32],
        ..context("n1", task)
    };
    open(&store, &n1, &fresh).await.unwrap();
    let found = store.boot_context("n1").await.unwrap();
    assert_eq!(
        (&found.key_hash, &found.entries),
        (&fresh.key_hash, &fresh.entries)
    );
    let void = old.entries[0].action_id;
    assert_eq!(store.boot_context_of(void).await, Err(StoreError::NotFound));
    let report = store
        .report_boot_action(void, Some(BootStatus::Success), &[])
        .await;
    assert_eq!(report, Err(StoreError::NotFound));
    let bare = BootContext {
        entries: vec![],
        ..context("n1", task)
    };
    open(&store, &n1, &bare).await.unwrap();
    assert_eq!(store.boot_context("n1").await.unwrap().entries, []);
}

pub async fn only_the_holder_opens_a_context(place: Place) {
    let store = place.open().await;
    let leader = lead(&store).await;
    let task = planned(&store, leader, &plan([nodes(&["n1"])])).await;
    let lost = claim_one(&store).await;
    store.return_step(lost.step.id, lost.token).await.unwrap();
    assert_eq!(
        open(&store, &lost, &context("n1", task)).await,
        Err(StoreError::StaleClaim)
    );
    assert_eq!(store.boot_context("n1").await, Err(StoreError::NotFound));
    let held = claim_one(&store).await;
    let current = context("n1", task);
    open(&store, &held, &current).await.unwrap();
    let before = store.boot_context("n1").await.unwrap();
    let other = ClaimedStep {
        step: Step {
            id: id(),
            ..held.step.clone()
        },
        ..held.clone()
    };
    for stale in [&lost, &other] {
        let late = BootContext {
            key_hash: vec![9; 32],
            ..context("n1", task)
        };
        assert_eq!(
            open(&store, stale, &late).await,
            Err(StoreError::StaleClaim)
        );
    }
    assert_eq!(store.boot_context("n1").await.unwrap(), before);
}

pub async fn what_a_machine_says_is_limited(place: Place) {
    let store = place.open().await;
    let leader = lead(&store).await;
    let task = planned(&store, leader, &plan([vec![deployment("n1")]])).await;
    let deploying = claim_one(&store).await;
    let context = context("n1", task);
    open(&store, &deploying, &context).await.unwrap();
    let action = context.entries[0].action_id;
    let mut long = message(&"ü".repeat(40_000));
    long.extra = facts(json!({"left": "out"}));
    store
        .report_boot_action(action, None, &[long])
        .await
        .unwrap();
    for _ in 0..3 {
        let report = vec![message("again and again"); 400];
        store
            .report_boot_action(action, None, &report)
            .await
            .unwrap();
    }
    // The status counts all the same.
    let more = [message("the last word")];
    let entry = store
        .report_boot_action(action, Some(BootStatus::Failure), &more)
        .await
        .unwrap();
    assert_eq!(entry.status, BootStatus::Failure);
    let said = store.tree(task).await.unwrap().steps.remove(1).messages;
    assert_eq!(said.len(), 1001);
    assert_eq!(said[1000].message, "further messages were dropped");
    assert_eq!(said[999], message("again and again"));
    // Of text and extra together: 80,000 bytes of text, "left", and "out" with its quotes.
    let (text, note) = said[0].message.split_at(64 * 1024);
    assert!(text.chars().all(|sign| sign == 'ü'));
    assert_eq!((note, said[0].extra.len()), (" ... (cut, 80009 bytes)", 0));
}

pub async fn reports_are_final_and_reach_the_step(place: Place) {
    let store = place.open().await;
    let leader = lead(&store).await;
    let shape = plan([vec![deployment("n1"), deployment("n2")]]);
    let task = planned(&store, leader, &shape).await;
    let context = context("n1", task);
    for node in ["n1", "n2"] {
        let claim = claim_one(&store).await;
        assert_eq!(claim.step.node.as_deref(), Some(node));
        if node == "n1" {
            open(&store, &claim, &context).await.unwrap();
        }
        store
            .finish_step(claim.step.id, claim.token, &done())
            .await
            .unwrap();
        let claim = claim_one(&store).await;
        let hour = Duration::from_secs(3600);
        store
            .wait_step(claim.step.id, claim.token, hour, "reports", 0, &[])
            .await
            .unwrap();
    }
    let first = context.entries[0].action_id;
    let only_said = store
        .report_boot_action(first, None, &[message("one")])
        .await
        .unwrap();
    assert_eq!(only_said.status, BootStatus::Incomplete);
    let claim = claim_one(&store).await;
    assert_eq!(claim.step.node.as_deref(), Some("n1"));
    assert_eq!(claim.step.action, StepAction::BootactionReport);
    assert_eq!(
        store.claim_steps(instance(), 5).await.unwrap(),
        [],
        "n2 still waits"
    );
    let report = [message("two"), message("three")];
    let done = store
        .report_boot_action(first, Some(BootStatus::Failure), &report)
        .await
        .unwrap();
    assert_eq!(
        done,
        BootEntry {
            status: BootStatus::Failure,
            ..context.entries[0].clone()
        }
    );
    for status in [Some(BootStatus::Success), Some(BootStatus::Failure), None] {
        let late = store
            .report_boot_action(first, status, &[message("late")])
            .await;
        assert!(matches!(late, Err(StoreError::Conflict(_))), "{late:?}");
    }
    let third = context.entries[2].action_id;
    for status in [BootStatus::Incomplete, BootStatus::Unreported] {
        let refused = store.report_boot_action(third, Some(status), &[]).await;
        assert!(
            matches!(refused, Err(StoreError::Conflict(_))),
            "{refused:?}"
        );
    }
    let tree = store.tree(task).await.unwrap();
    assert_eq!(
        tree.steps[1].messages,
        [message("one"), message("two"), message("three")]
    );
    assert!(tree.task.messages.is_empty() && tree.steps[3].messages.is_empty());
    let states: Vec<_> = store
        .boot_context("n1")
        .await
        .unwrap()
        .entries
        .iter()
        .map(|entry| entry.status)
        .collect();
    use BootStatus::{Failure, Incomplete, Unreported};
    assert_eq!(states, [Failure, Unreported, Incomplete]);
}

pub async fn a_report_without_a_step_reaches_the_task(place: Place) {
    let store = place.open().await;
    let leader = lead(&store).await;
    let task = planned(&store, leader, &plan([nodes(&["n1"])])).await;
    let context = context("n1", task);
    open(&store, &claim_one(&store).await, &context)
        .await
        .unwrap();
    let action = context.entries[2].action_id;
    store
        .report_boot_action(action, Some(BootStatus::Success), &[message("up")])
        .await
        .unwrap();
    let tree = store.tree(task).await.unwrap();
    assert_eq!(tree.task.messages, [message("up")]);
    assert!(tree.steps[0].messages.is_empty());
}

pub async fn a_report_during_the_look_is_not_slept_over(place: Place) {
    let store = place.open().await;
    let leader = lead(&store).await;
    let mut pipeline = deployment("n1");
    pipeline.steps.remove(0);
    let task = planned(&store, leader, &plan([vec![pipeline]])).await;
    let context = context("n1", task);
    let hour = Duration::from_secs(3600);
    let claim = claim_one(&store).await;
    open(&store, &claim, &context).await.unwrap();
    let action = context.entries[0].action_id;
    store
        .report_boot_action(action, Some(BootStatus::Success), &[message("up")])
        .await
        .unwrap();
    store
        .wait_step(claim.step.id, claim.token, hour, "x", 0, &[message("look")])
        .await
        .unwrap();
    let claim = claim_one(&store).await;
    assert_eq!(claim.step.messages, [message("up"), message("look")]);
    // That was once; with nothing new it sleeps.
    store
        .wait_step(claim.step.id, claim.token, hour, "x", 0, &[])
        .await
        .unwrap();
    assert_eq!(store.claim_steps(instance(), 1).await.unwrap(), []);
    let step = store.tree(task).await.unwrap().steps.remove(0);
    assert_eq!(step.status, StepStatus::Waiting);
}
