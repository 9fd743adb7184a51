//! Waves: which nodes go one after another.

use std::sync::Arc;

use drydock_model::effective::Node;
use drydock_model::step::StepStatus;
use drydock_model::strategy::{GroupBy, Strategy};
use drydock_model::task::{NewTask, ResultStatus, TaskAction};
use drydock_orchestrator::outcome;
use drydock_orchestrator::waves::{told, waves};

use crate::bench::{Bench, Manner, names, said};

async fn nodes(rows: &[Option<&str>], racks: &[Option<&str>]) -> Vec<Arc<Node>> {
    let bench = Bench::new(rows.len()).await;
    let mut nodes = Vec::new();
    for ((node, row), rack) in bench.nodes().await.into_iter().zip(rows).zip(racks) {
        let mut node = (*node).clone();
        if let Some(row) = row {
            node.owner_data.insert("row".into(), (*row).into());
        }
        node.rack = rack.map(str::to_owned);
        nodes.push(Arc::new(node));
    }
    nodes
}

fn shown(nodes: &[Arc<Node>], strategy: &Strategy) -> Vec<String> {
    waves(nodes, Some(strategy))
        .iter()
        .map(|wave| {
            let names: Vec<_> = wave.nodes.iter().map(|node| node.name.as_str()).collect();
            format!("{}: {}", wave.what, names.join(" "))
        })
        .collect()
}

#[tokio::test]
async fn canaries_first_then_group_by_group() {
    let rows = [Some("b"), None, Some("a"), Some("b"), Some("a")];
    let racks = [Some("r2"), Some("r1"), Some("r2"), None, Some("r1")];
    let nodes = nodes(&rows, &racks).await;
    let of = |canary, group_by| Strategy {
        canary,
        group_by,
        ..Strategy::default()
    };
    let label = || Some(GroupBy::Label("row".into()));
    assert_eq!(shown(&nodes, &of(None, None)), ["all: n1 n2 n3 n4 n5"]);
    assert_eq!(
        shown(&nodes, &of(Some(2), None)),
        ["canary: n1 n2", "the others: n3 n4 n5"]
    );
    assert_eq!(
        shown(&nodes, &of(Some(9), label())),
        ["canary: n1 n2 n3 n4 n5"]
    );
    assert_eq!(
        shown(&nodes, &of(None, Some(GroupBy::Rack))),
        ["rack r2: n1 n3", "rack r1: n2 n5", "without a rack: n4"]
    );
    assert_eq!(
        shown(&nodes, &of(Some(1), label())),
        ["canary: n1", "row=a: n3 n5", "row=b: n4", "without row: n2"]
    );
    let strategy = Strategy {
        max_in_flight: Some(3),
        stop_at_failures_percent: Some(10),
        ..of(Some(1), None)
    };
    assert_eq!(
        told(&waves(&nodes, Some(&strategy)), &strategy),
        "one after another: canary (1 node(s)), the others (4 node(s)); at most 3 node(s) at once; stops at 10 % failures"
    );
}

#[tokio::test]
async fn a_canary_that_fails_leaves_the_rest_alone() {
    let bench = Bench::new(4).await;
    bench.world.set("n1", Manner::Locked);
    let engine = bench.start();
    let task = NewTask {
        strategy: Some(Strategy {
            canary: Some(1),
            ..Strategy::default()
        }),
        ..bench.task(TaskAction::DestroyNodes)
    };
    let id = bench.store.create_task(&task).await.unwrap().id;
    let tree = bench.end(id).await;
    let outcome = outcome::of_tree(&tree);
    assert_eq!(outcome.result, ResultStatus::Failure);
    assert_eq!(outcome.failures, names(4));
    for node in ["n2", "n3", "n4"] {
        assert_eq!(bench.world.asked(node), 0, "{node}");
    }
    let said = said(&tree);
    assert_eq!(
        said.matches("error: not begun: the canary n1 failed")
            .count(),
        3,
        "{said}"
    );
    assert!(
        said.contains("one after another: canary (1 node(s))"),
        "{said}"
    );
    engine.shut_down().await;
}

#[tokio::test]
async fn a_stopped_instance_ends_its_call_and_takes_nothing_more() {
    let mut bench = Bench::new(2).await;
    bench.settings.workers = 1;
    bench.world.set("n1", Manner::Held);
    let engine = bench.start();
    let id = bench.submit(TaskAction::DestroyNodes).await;
    bench.world.until_hanging().await;
    engine.stop.cancel();
    bench.world.release();
    engine.shut_down().await;
    // The call in flight ended and its outcome is in the journal; the other node was not begun; nobody holds or leads anything.
    assert_eq!((bench.world.wiped("n1"), bench.world.asked("n2")), (1, 0));
    let journal = bench.store.task_journal(id).await.unwrap();
    assert_eq!(journal.len(), 1);
    assert!(journal[0].outcome.is_some(), "{journal:#?}");
    let tree = bench.store.tree(id).await.unwrap();
    assert!(tree.steps.iter().all(|step| step.holder.is_none()));
    assert_eq!(
        (tree.steps[1].status, tree.steps[1].attempt),
        (StepStatus::Ready, 0)
    );
    assert_eq!(bench.store.leader().await.unwrap(), None);
}
