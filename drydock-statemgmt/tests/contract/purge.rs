//! What is deleted after a while, and what never is.

use std::time::Duration;

use drydock_model::id::{Digest, TaskId};
use drydock_model::ingest::{Format, Source};
use drydock_model::store::StoreError;

use crate::boot::{context, open};
use crate::claims::intent;
use crate::place::{
    Place, claim_one, digest, done, lead, new_task, nodes, pipeline, plan, planned,
};

/// Everything written so far is so many days older.
pub async fn age(place: &Place, days: u64) {
    if place.file.is_some() {
        place.pass(Duration::from_secs(days * 24 * 60 * 60)).await;
        return;
    }
    for column in ["tasks SET updated = updated", "pins SET created = created"] {
        let sql = format!("UPDATE {column} - interval '{days} days'");
        place.execute(&sql).await;
    }
}

fn sources() -> Vec<Source> {
    vec![Source {
        name: "site.yaml".into(),
        format: Format::Auto,
        text: "x: 1".to_owned(),
        without: Vec::new(),
    }]
}

pub async fn what_ended_long_ago_goes_and_its_journal_stays(place: Place) {
    let store = place.open().await;
    let leader = lead(&store).await;
    let other = Digest("ef".repeat(32));
    store.pin(&digest(), &sources()).await.unwrap();
    store.pin(&other, &sources()).await.unwrap();
    let mut gone: Vec<TaskId> = vec![];
    for node in ["a", "b"] {
        let task = planned(&store, leader, &plan([nodes(&[node])])).await;
        let claim = claim_one(&store).await;
        let entry = intent(&claim, "power_off");
        store.record_intent(claim.token, &entry).await.unwrap();
        open(&store, &claim, &context(node, task)).await.unwrap();
        store
            .finish_step(claim.step.id, claim.token, &done())
            .await
            .unwrap();
        gone.push(task);
    }
    age(&place, 3).await;
    // Pinned again lately: a task is about to be planned by it.
    store.pin(&other, &sources()).await.unwrap();
    let young = store.create_task(&new_task(0)).await.unwrap().id;
    store.terminate_task(young, "tester").await.unwrap();

    assert_eq!(store.purge_tasks(4).await, Ok(0));
    assert_eq!(store.purge_tasks(u32::MAX).await, Ok(0));
    assert_eq!(store.purge_tasks(2).await, Ok(2));
    assert_eq!(store.purge_tasks(2).await, Ok(0));
    for task in gone {
        assert_eq!(store.tree(task).await, Err(StoreError::NotFound));
        assert_eq!(store.task_journal(task).await.unwrap().len(), 1);
    }
    store.tree(young).await.unwrap();
    assert_eq!(store.boot_context("a").await, Err(StoreError::NotFound));
    assert_eq!(store.node_tree("a").await, Err(StoreError::NotFound));
    assert_eq!(store.node_journal("a", 10).await.unwrap().len(), 1);
    assert_eq!(store.pinned(&digest()).await, Err(StoreError::NotFound));
    assert_eq!(store.pinned(&other).await.unwrap(), sources());
}

pub async fn what_has_not_ended_stays(place: Place) {
    let store = place.open().await;
    let leader = lead(&store).await;
    store.pin(&digest(), &sources()).await.unwrap();
    let running = planned(&store, leader, &plan([nodes(&["a"])])).await;
    let queued = store.create_task(&new_task(0)).await.unwrap().id;
    age(&place, 1000).await;
    assert_eq!(store.purge_tasks(1).await, Ok(0));
    assert_eq!(store.tree(running).await.unwrap().steps.len(), 1);
    store.tree(queued).await.unwrap();
    assert_eq!(store.pinned(&digest()).await.unwrap(), sources());
}

pub async fn a_plan_stays_while_it_is_carried_out(place: Place) {
    let store = place.open().await;
    let leader = lead(&store).await;
    let dry_run = planned(&store, leader, &plan([nodes(&["a", "b"])])).await;
    store.terminate_task(dry_run, "tester").await.unwrap();
    let mut wanted = new_task(0);
    wanted.plan = Some(dry_run);
    let task = store.create_task(&wanted).await.unwrap();
    assert_eq!(task.plan, Some(dry_run));
    age(&place, 1000).await;
    assert_eq!(store.purge_tasks(1).await, Ok(0));
    let about_a = store.steps_about(dry_run, Some("a")).await.unwrap();
    assert_eq!(about_a.len(), 1);
    assert_eq!(about_a[0].node.as_deref(), Some("a"));
    assert_eq!(store.steps_about(dry_run, None).await, Ok(vec![]));
    assert_eq!(store.steps_about(task.id, Some("a")).await, Ok(vec![]));
    let site = planned(&store, leader, &plan([vec![pipeline(None, 2)]])).await;
    assert_eq!(store.steps_about(site, None).await.unwrap().len(), 2);
    assert_eq!(store.steps_about(site, Some("a")).await, Ok(vec![]));

    store.terminate_task(task.id, "tester").await.unwrap();
    assert_eq!(store.purge_tasks(1).await, Ok(1));
    assert_eq!(store.tree(dry_run).await, Err(StoreError::NotFound));
    assert_eq!(store.tree(task.id).await.unwrap().task.plan, Some(dry_run));
}
