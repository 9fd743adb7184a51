//! Tasks that end without a step, each with a sentence that says why.

use drydock_model::task::{NewTask, ResultStatus, TaskAction, TaskStatus};
use drydock_orchestrator::outcome;

use crate::bench::{Bench, said};

/// Runs a task to its end; verdict and everything said.
async fn verdict(bench: &Bench, task: &NewTask) -> (ResultStatus, String) {
    let id = bench.store.create_task(task).await.unwrap().id;
    let tree = bench.end(id).await;
    assert_eq!(tree.task.status, TaskStatus::Complete);
    (outcome::of_tree(&tree).result, said(&tree))
}

#[tokio::test]
async fn a_design_with_errors_is_not_acted_on() {
    let bench = Bench::new(1).await;
    let engine = bench.start();
    let broken = bench
        .design(
            "schema: drydock/BaremetalNode/v1\nmetadata: {name: n1}\ndata: {host_profile: gone}\n",
        )
        .await;
    for action in [
        TaskAction::ValidateDesign,
        TaskAction::DeployNodes,
        TaskAction::PrepareSite,
    ] {
        let (result, said) = verdict(
            &bench,
            &NewTask {
                design_ref: broken.clone(),
                ..bench.task(action)
            },
        )
        .await;
        assert_eq!(result, ResultStatus::Failure, "{action}");
        assert!(
            said.contains("site.yaml:3:") && said.contains("gone"),
            "{action}: {said}"
        );
    }
    engine.shut_down().await;
}

#[tokio::test]
async fn a_design_that_is_gone_is_named() {
    let bench = Bench::new(1).await;
    let engine = bench.start();
    for (design_ref, word) in [
        (
            "design:00000000-0000-4000-8000-000000000000",
            "there is no design",
        ),
        ("file:///etc/passwd", "design.allow_refs"),
        ("design:nonsense", "a UUID must follow"),
    ] {
        let (result, said) = verdict(
            &bench,
            &NewTask {
                design_ref: design_ref.into(),
                ..bench.task(TaskAction::Noop)
            },
        )
        .await;
        assert_eq!(result, ResultStatus::Failure, "{design_ref}");
        assert!(said.contains(word), "{design_ref}: {said}");
    }
    engine.shut_down().await;
}

#[tokio::test]
async fn a_filter_that_selects_nothing_is_a_success_that_says_so() {
    let bench = Bench::new(1).await;
    let engine = bench.start();
    let id = bench.submit_on(TaskAction::DestroyNodes, &["nobody"]).await;
    let tree = bench.end(id).await;
    assert_eq!(outcome::of_tree(&tree).result, ResultStatus::Success);
    assert!(said(&tree).contains("no nodes in scope"), "{}", said(&tree));
    engine.shut_down().await;
}

#[tokio::test]
async fn no_more_nodes_are_destroyed_than_the_limit_allows() {
    let mut bench = Bench::new(3).await;
    bench.settings.destroy_limit = Some(2);
    let engine = bench.start();
    let (result, said) = verdict(&bench, &bench.task(TaskAction::DestroyNodes)).await;
    assert_eq!(result, ResultStatus::Failure);
    assert!(
        said.contains("selects 3 nodes and limits.destroy_nodes allows 2"),
        "{said}"
    );
    assert_eq!(bench.world.asked("n1"), 0);
    let id = bench
        .submit_on(TaskAction::DestroyNodes, &["n1", "n3"])
        .await;
    assert_eq!(
        outcome::of_tree(&bench.end(id).await).result,
        ResultStatus::Success
    );
    engine.shut_down().await;
}

#[tokio::test]
async fn what_has_no_driver_says_so() {
    let bench = Bench::new(1).await;
    let engine = bench.start();
    let (result, said) = verdict(&bench, &bench.task(TaskAction::RelabelNodes)).await;
    assert_eq!(result, ResultStatus::Failure);
    assert!(said.contains("Kubernetes driver"), "{said}");
    let (result, said) = verdict(&bench, &bench.task(TaskAction::VerifyNodes)).await;
    assert_eq!(result, ResultStatus::Failure);
    assert!(
        said.contains("no out-of-band driver for oob.type \"ipmi\"")
            && said.contains("drivers.oob"),
        "{said}"
    );
    engine.shut_down().await;
}

#[tokio::test]
async fn validate_design_succeeds_and_tells_every_rule() {
    let bench = Bench::new(1).await;
    let engine = bench.start();
    let (result, said) = verdict(&bench, &bench.task(TaskAction::ValidateDesign)).await;
    assert_eq!(result, ResultStatus::Success, "{said}");
    assert!(
        said.matches("Validation successful.").count() >= 10,
        "{said}"
    );
    engine.shut_down().await;
}

#[tokio::test]
async fn a_reference_that_does_not_answer_holds_up_nobody_else() {
    // Takes connections and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let prefix = format!("http://{}", silent.local_addr().unwrap());
    let mut bench = Bench::new(1).await;
    bench.allow_refs = vec![prefix.clone()];
    let engine = bench.start();
    let stuck = NewTask {
        design_ref: format!("{prefix}/site.yaml"),
        priority: 100,
        ..bench.task(TaskAction::Noop)
    };
    bench.store.create_task(&stuck).await.unwrap();
    let id = bench.submit(TaskAction::Noop).await;
    assert_eq!(
        outcome::of_tree(&bench.end(id).await).result,
        ResultStatus::Success
    );
    assert_eq!(
        bench.store.tree(stuck.id).await.unwrap().task.status,
        TaskStatus::Queued
    );
    // Nor does it hold up the end.
    engine.shut_down().await;
}
