//! How steps go: retries by error class, deadlines, panics, conditions, dry runs.

use std::time::Duration;

use drydock_model::step::StepStatus;
use drydock_model::task::{NewTask, ResultStatus, TaskAction, TaskStatus};
use drydock_orchestrator::outcome;

use crate::bench::{Bench, Manner, said};

#[tokio::test]
async fn a_busy_target_is_asked_again() {
    let bench = Bench::new(1).await;
    bench.world.set("n1", Manner::Busy(3));
    let engine = bench.start();
    let id = bench.submit(TaskAction::DestroyNodes).await;
    let tree = bench.end(id).await;
    assert_eq!(
        outcome::of_tree(&tree).result,
        ResultStatus::Success,
        "{tree:#?}"
    );
    assert_eq!((bench.world.asked("n1"), bench.world.wiped("n1")), (4, 1));
    // Told once, not three times.
    assert_eq!(
        said(&tree).matches("trying again").count(),
        1,
        "{}",
        said(&tree)
    );
    engine.shut_down().await;
}

#[tokio::test]
async fn refused_credentials_are_never_tried_twice() {
    let bench = Bench::new(2).await;
    bench.world.set("n1", Manner::Locked);
    let engine = bench.start();
    let id = bench.submit(TaskAction::DestroyNodes).await;
    let tree = bench.end(id).await;
    let outcome = outcome::of_tree(&tree);
    assert_eq!(outcome.result, ResultStatus::PartialSuccess);
    assert_eq!(
        (outcome.successes.as_slice(), outcome.failures.as_slice()),
        (&["n2".to_owned()][..], &["n1".to_owned()][..])
    );
    assert_eq!(bench.world.asked("n1"), 1);
    assert!(
        said(&tree).contains("error: node n1: wiping on n1: wrong password; mend the design"),
        "{}",
        said(&tree)
    );
    engine.shut_down().await;
}

#[tokio::test]
async fn a_deadline_ends_what_waits_and_what_is_tried_again() {
    let mut bench = Bench::new(2).await;
    bench.settings.timeouts.destroy_node = Duration::from_millis(300);
    bench.world.set("n1", Manner::Waits);
    bench.world.set("n2", Manner::Busy(u32::MAX));
    let engine = bench.start();
    let id = bench.submit(TaskAction::DestroyNodes).await;
    let tree = bench.end(id).await;
    assert_eq!(outcome::of_tree(&tree).failures, ["n1", "n2"]);
    let said = said(&tree);
    assert!(said.contains("error: the deadline of 0.3 seconds passed while waiting for: something that never comes"), "{said}");
    assert!(
        said.contains("error: node n2: wiping on n2: busy; wait (tried "),
        "{said}"
    );
    engine.shut_down().await;
}

#[tokio::test]
async fn a_driver_that_panics_fails_its_step_and_nothing_else() {
    let bench = Bench::new(2).await;
    bench.world.set("n1", Manner::Panics);
    let engine = bench.start();
    let id = bench.submit(TaskAction::DestroyNodes).await;
    let tree = bench.end(id).await;
    let outcome = outcome::of_tree(&tree);
    assert_eq!(
        (outcome.successes.as_slice(), outcome.failures.as_slice()),
        (&["n2".to_owned()][..], &["n1".to_owned()][..])
    );
    assert!(
        said(&tree).contains("a defect of the server stopped this step"),
        "{}",
        said(&tree)
    );
    engine.shut_down().await;
}

#[tokio::test]
async fn a_slow_node_holds_up_nobody_and_a_failed_step_ends_its_pipeline() {
    let mut bench = Bench::new(3).await;
    bench.settings.timeouts.apply_node_networking = Duration::from_secs(2);
    bench.world.set("n1", Manner::Waits);
    let engine = bench.start();
    let id = bench.submit(TaskAction::DeployNodes).await;
    let others = |tree: &drydock_model::store::TaskTree| {
        !tree.steps.is_empty()
            && tree
                .steps
                .iter()
                .filter(|step| step.node.as_deref() != Some("n1"))
                .all(|step| step.status == StepStatus::Done)
    };
    let tree = bench.until(id, "the other nodes", others).await;
    assert_eq!(tree.task.status, TaskStatus::Running, "n1 is still at it");
    let tree = bench.end(id).await;
    let of_n1: Vec<_> = tree
        .steps
        .iter()
        .filter(|step| step.node.as_deref() == Some("n1"))
        .map(|step| step.status)
        .collect();
    assert_eq!(of_n1[0], StepStatus::Failed);
    assert!(
        of_n1[1..]
            .iter()
            .all(|status| *status == StepStatus::Skipped),
        "{of_n1:?}"
    );
    assert_eq!(outcome::of_tree(&tree).failures, ["n1"]);
    engine.shut_down().await;
}

#[tokio::test]
async fn a_dry_run_says_what_it_would_do_and_does_nothing() {
    let bench = Bench::new(1).await;
    let engine = bench.start();
    let task = NewTask {
        dry_run: true,
        ..bench.task(TaskAction::DestroyNodes)
    };
    let id = bench.store.create_task(&task).await.unwrap().id;
    let tree = bench.end(id).await;
    assert_eq!(outcome::of_tree(&tree).result, ResultStatus::Success);
    assert!(
        said(&tree).contains("would wipe node n1 (wipes): the test asks for it"),
        "{}",
        said(&tree)
    );
    assert_eq!(bench.world.asked("n1"), 0);
    assert!(bench.store.task_journal(id).await.unwrap().is_empty());
    engine.shut_down().await;
}

#[tokio::test]
async fn no_more_steps_run_than_there_are_workers() {
    let mut bench = Bench::new(6).await;
    bench.settings.workers = 2;
    for n in 1..=6 {
        bench.world.set(&format!("n{n}"), Manner::HangsBefore);
    }
    let engine = bench.start();
    let id = bench.submit(TaskAction::DestroyNodes).await;
    bench.world.until_hanging().await;
    bench.world.until_hanging().await;
    let tree = bench
        .until(id, "two running", |tree| {
            tree.steps
                .iter()
                .filter(|step| step.status == StepStatus::Running)
                .count()
                == 2
        })
        .await;
    assert_eq!(
        tree.steps.iter().filter(|step| step.attempt > 0).count(),
        2,
        "{tree:#?}"
    );
    engine.kill().await;
}

#[tokio::test]
async fn two_tasks_on_one_node_do_not_run_at_once() {
    let bench = Bench::new(1).await;
    bench.world.set("n1", Manner::HangsBefore);
    let engine = bench.start();
    let first = bench.submit(TaskAction::DestroyNodes).await;
    bench.world.until_hanging().await;
    let second = bench.submit_on(TaskAction::Noop, &["n1"]).await;
    bench
        .until(second, "a plan", |tree| !tree.steps.is_empty())
        .await;
    // A third task on nothing in particular has gone all the way: the second had its chance.
    let third = bench.submit(TaskAction::PrepareSite).await;
    bench.end(third).await;
    let tree = bench.store.tree(second).await.unwrap();
    assert_eq!(tree.steps[0].status, StepStatus::Ready, "{tree:#?}");
    assert!(
        !bench
            .store
            .tree(first)
            .await
            .unwrap()
            .task
            .status
            .is_final()
    );
    engine.kill().await;
}
