//! Instances that die, fall silent, and wake up again.

use std::sync::Arc;
use std::time::Duration;

use drydock_model::change::ChangeOutcome;
use drydock_model::step::StepStatus;
use drydock_model::task::{ResultStatus, TaskAction, TaskStatus};
use drydock_orchestrator::outcome;

use crate::bench::{Bench, Manner, Running};

/// Kills an engine in the middle of a change, then lets another finish.
async fn dies_at(manner: Manner) -> (Arc<Bench>, Vec<Option<ChangeOutcome>>) {
    let bench = Arc::new(Bench::new(2).await);
    bench.world.set("n1", manner);
    let first = bench.start();
    let id = bench.submit(TaskAction::DestroyNodes).await;
    bench.world.until_hanging().await;
    // The other node does not wait for the one that hangs.
    bench
        .until(id, "n2", |tree| {
            tree.steps
                .iter()
                .any(|step| step.node.as_deref() == Some("n2") && step.status == StepStatus::Done)
        })
        .await;
    first.kill().await;
    bench.world.set("n1", Manner::Willing);
    let second = bench.start();
    let tree = bench.end(id).await;
    let outcome = outcome::of_tree(&tree);
    assert_eq!(
        (outcome.status, outcome.result),
        (TaskStatus::Complete, ResultStatus::Success),
        "{tree:#?}"
    );
    second.shut_down().await;
    let journal = bench.store.task_journal(id).await.unwrap();
    let outcomes = journal
        .iter()
        .filter(|entry| entry.node.as_deref() == Some("n1"))
        .map(|entry| entry.outcome)
        .collect();
    (bench, outcomes)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_was_done_and_never_acknowledged_is_not_done_again() {
    let (bench, outcomes) = dies_at(Manner::HangsAfter).await;
    assert_eq!(bench.world.wiped("n1"), 1);
    assert_eq!(bench.world.asked("n1"), 1);
    assert_eq!(
        outcomes,
        [None],
        "the intent has no outcome, and there is no second one"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_was_intended_and_not_done_is_done_once() {
    let (bench, outcomes) = dies_at(Manner::HangsBefore).await;
    assert_eq!(bench.world.wiped("n1"), 1);
    assert_eq!(outcomes, [None, Some(ChangeOutcome::Done)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_that_was_stopped_and_wakes_begins_nothing_under_its_old_claim() {
    let mut bench = Bench::new(1).await;
    // Hours pass between the look and the act, and no heartbeat comes in between.
    bench.settings.grace_period = Duration::from_secs(3600);
    bench.settings.heartbeat = Duration::from_secs(2);
    bench.settings.claim_interval = Duration::from_secs(2);
    bench
        .world
        .sleep_after_looking(Arc::clone(&bench.clock), Duration::from_secs(7200));
    let sleeper = bench.start();
    let id = bench.submit(TaskAction::DestroyNodes).await;
    let tree = bench.end(id).await;
    assert_eq!(
        outcome::of_tree(&tree).result,
        ResultStatus::Success,
        "{tree:#?}"
    );
    assert_eq!(bench.world.asked("n1"), 1);
    let journal = bench.store.task_journal(id).await.unwrap();
    let attempts: Vec<_> = journal.iter().map(|entry| entry.attempt).collect();
    assert_eq!(
        attempts,
        [2],
        "the first claim was given back without an intent"
    );
    sleeper.shut_down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_engines_each_step_runs_once() {
    let bench = Bench::new(40).await;
    let engines: Vec<Running> = vec![bench.start(), bench.start()];
    let id = bench.submit(TaskAction::DestroyNodes).await;
    let tree = bench.end(id).await;
    assert_eq!(outcome::of_tree(&tree).successes.len(), 40);
    for step in &tree.steps {
        assert_eq!(
            bench.world.asked(step.node.as_deref().unwrap()),
            1,
            "{step:#?}"
        );
        assert_eq!(step.attempt, 1, "{step:#?}");
    }
    for engine in engines {
        engine.shut_down().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_ends_in_order_is_followed_at_once() {
    let mut bench = Bench::new(1).await;
    // So long that nobody could wait for it.
    bench.settings.grace_period = Duration::from_secs(3600);
    let first = bench.start();
    let id = bench.submit(TaskAction::Noop).await;
    bench.end(id).await;
    first.shut_down().await;
    let second = bench.start();
    let id = bench.submit(TaskAction::Noop).await;
    bench.end(id).await;
    second.shut_down().await;
}
