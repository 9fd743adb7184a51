//! Whatever the site, the strategies, the failures and the moment of a death: at no instant is a limit exceeded, and no node is in two
//! tasks. And everything ends.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use drydock_model::clock::Clock;
use drydock_model::filter::NodeFilter;
use drydock_model::id::TaskId;
use drydock_model::step::{Step, StepAction, StepStatus};
use drydock_model::store::TaskTree;
use drydock_model::strategy::{GroupBy, Strategy as Waves};
use drydock_model::task::{NewTask, TaskAction, TaskStatus};
use drydock_orchestrator::outcome;
use proptest::prelude::*;
use proptest::sample::select;

use super::site::{Nature, Site};

#[derive(Clone, Debug)]
struct Asked {
    deploy: bool,
    /// Which nodes, bit by bit; none: all.
    nodes: u8,
    priority: i32,
    strategy: Option<Waves>,
}

#[derive(Clone, Debug)]
struct Case {
    /// Row, seconds a step takes, and the step in which it refuses.
    nodes: Vec<(Option<&'static str>, u64, Option<StepAction>)>,
    tasks: Vec<Asked>,
    limit: Option<u32>,
    /// When the first of two instances dies.
    death: Option<u64>,
}

fn strategies() -> impl Strategy<Value = Option<Waves>> {
    let groups = select(vec![GroupBy::Label("row".into()), GroupBy::Rack]);
    let some = (
        prop::option::weighted(0.7, 1..4_u32),
        prop::option::weighted(0.3, 1..4_u32),
        prop::option::weighted(0.5, select(vec![0, 25, 60, 100])),
        prop::option::weighted(0.3, groups),
    )
        .prop_map(
            |(max_in_flight, canary, stop_at_failures_percent, group_by)| Waves {
                max_in_flight,
                canary,
                stop_at_failures_percent,
                group_by,
            },
        );
    prop::option::weighted(0.8, some)
}

fn cases() -> impl Strategy<Value = Case> {
    let refuses = prop_oneof![
        4 => Just(None),
        1 => select(vec![
            Some(StepAction::ApplyNodeStorage),
            Some(StepAction::DeployNode),
            Some(StepAction::DestroyNode),
        ]),
    ];
    let node = (select(vec![None, Some("a"), Some("b")]), 0..60_u64, refuses);
    let which = prop_oneof![3 => Just(0_u8), 2 => any::<u8>()];
    let asked = (any::<bool>(), which, -1..=1, strategies()).prop_map(
        |(deploy, nodes, priority, strategy)| Asked {
            deploy,
            nodes,
            priority,
            strategy,
        },
    );
    (
        prop::collection::vec(node, 3..9),
        prop::collection::vec(asked, 1..4),
        prop::option::of(1..5_u32),
        prop::option::of(0..200_u64),
    )
        .prop_map(|(nodes, tasks, limit, death)| Case {
            nodes,
            tasks,
            limit,
            death,
        })
}

/// A node's share of a task.
struct Share<'a> {
    node: &'a str,
    stage: i32,
    steps: Vec<&'a Step>,
}

impl Share<'_> {
    fn begun(&self) -> bool {
        self.steps.iter().any(|step| step.attempt > 0)
    }
    fn over(&self) -> bool {
        self.steps.iter().all(|step| step.status.is_final())
    }
    fn good(&self) -> bool {
        self.steps
            .iter()
            .all(|step| step.status == StepStatus::Done)
    }
    fn may_begin(&self) -> bool {
        self.begun() || self.steps[0].status == StepStatus::Ready
    }
}

fn shares(tree: &TaskTree) -> Vec<Share<'_>> {
    let mut shares: BTreeMap<(i32, i32), Share<'_>> = BTreeMap::new();
    for step in &tree.steps {
        let share = shares
            .entry((step.stage, step.pipeline_ordinal))
            .or_insert(Share {
                node: step.node.as_deref().unwrap(),
                stage: step.stage,
                steps: Vec::new(),
            });
        share.steps.push(step);
    }
    shares.into_values().collect()
}

/// What must hold at every instant.
fn at_every_instant(trees: &[TaskTree], limit: Option<u32>) {
    let mut at_work: BTreeMap<&str, TaskId> = BTreeMap::new();
    for tree in trees {
        let shares = shares(tree);
        let open = |share: &&Share<'_>| !share.over();
        for share in shares.iter().filter(open).filter(|share| share.begun()) {
            let other = at_work.insert(share.node, tree.task.id);
            assert_eq!(other, None, "{} is in two tasks", share.node);
        }
        for late in shares.iter().filter(|share| share.begun()) {
            for early in shares.iter().filter(|share| share.stage < late.stage) {
                assert!(early.over(), "{} before {}", late.node, early.node);
            }
        }
        let Some(strategy) = &tree.task.strategy else {
            continue;
        };
        if let Some(most) = strategy.max_in_flight {
            let may = shares.iter().filter(open).filter(|share| share.may_begin());
            assert!(may.count() <= most as usize, "{tree:#?}");
        }
        if strategy.canary.is_some() && shares.iter().any(|it| it.stage > 0 && it.begun()) {
            let mut canaries = shares.iter().filter(|share| share.stage == 0);
            assert!(canaries.all(Share::good), "{tree:#?}");
        }
    }
    if let Some(limit) = limit {
        assert!(at_work.len() <= limit as usize, "{at_work:?}");
    }
}

/// What must hold when a task has ended.
fn at_the_end(tree: &TaskTree) {
    assert_eq!(tree.task.status, TaskStatus::Complete, "{tree:#?}");
    let outcome = outcome::of_tree(tree);
    let shares = shares(tree);
    assert_eq!(
        outcome.successes.len() + outcome.failures.len(),
        shares.len(),
        "no node is absent"
    );
    let strategy = tree.task.strategy.clone().unwrap_or_default();
    // When the failures were too many.
    let mut failures: Vec<_> = tree
        .steps
        .iter()
        .filter(|step| step.status == StepStatus::Failed)
        .collect();
    failures.sort_by_key(|step| step.ended);
    let too_many = failures.iter().enumerate().find(|(index, step)| {
        let failed = *index as u64 + 1;
        strategy.stops_at(failed, shares.len() as u64)
            || (strategy.canary.is_some() && step.stage == 0)
    });
    let stopped = too_many.and_then(|(_, step)| step.ended);
    for share in &shares {
        let first = share.steps[0];
        match (stopped, share.begun()) {
            (Some(stopped), true) => assert!(first.started.unwrap() <= stopped, "{tree:#?}"),
            (Some(_), false) => {
                assert_eq!(first.status, StepStatus::Skipped);
                assert!(first.messages[0].message.starts_with("not begun: "));
            }
            (None, begun) => assert!(begun, "nothing held {} back: {tree:#?}", share.node),
        }
    }
}

async fn play(case: &Case) {
    let nodes: Vec<(String, Option<String>)> = case
        .nodes
        .iter()
        .enumerate()
        .map(|(index, (row, _, _))| (format!("n{index}"), row.map(str::to_owned)))
        .collect();
    let plain = Nature {
        takes: Duration::ZERO,
        refuses: None,
        hangs: None,
        answers: Duration::ZERO,
    };
    let mut site = Site::new(&nodes, plain).await;
    for ((name, _), (_, takes, refuses)) in nodes.iter().zip(&case.nodes) {
        let nature = Nature {
            takes: Duration::from_secs(*takes),
            refuses: *refuses,
            hangs: None,
            answers: Duration::ZERO,
        };
        site.natures.insert(name.clone(), nature);
    }
    site.settings.nodes_in_flight = case.limit;
    site.settings.grace_period = Duration::from_secs(50);
    site.settings.heartbeat = Duration::from_secs(10);
    site.settings.claim_interval = Duration::from_secs(10);
    site.settings.poll_interval = Duration::from_secs(10);
    let limit = case.limit;
    // The engine takes a panic in a driver for a failure of its step, so that it has to be remembered here.
    let broken = Arc::new(AtomicBool::new(false));
    let remember = Arc::clone(&broken);
    site.check = Some(Arc::new(move |trees| {
        let looked = AssertUnwindSafe(|| at_every_instant(trees, limit));
        if let Err(violation) = catch_unwind(looked) {
            remember.store(true, Ordering::SeqCst);
            resume_unwind(violation);
        }
    }));
    let mut tasks = Vec::new();
    for asked in &case.tasks {
        let chosen: Vec<&str> = nodes
            .iter()
            .enumerate()
            .filter(|(index, _)| asked.nodes & (1 << index) != 0)
            .map(|(_, (name, _))| name.as_str())
            .collect();
        let action = if asked.deploy {
            TaskAction::DeployNodes
        } else {
            TaskAction::DestroyNodes
        };
        let task = NewTask {
            node_filter: (!chosen.is_empty()).then(|| NodeFilter::names(chosen)),
            priority: asked.priority,
            strategy: asked.strategy.clone(),
            ..site.task(action)
        };
        tasks.push(site.store.create_task(&task).await.unwrap().id);
    }
    let mut instances = vec![site.start(), site.start()];
    let mut death = case.death.map(Duration::from_secs);
    let day = Duration::from_secs(86_400);
    loop {
        let all_over = async || -> bool {
            let trees = site.trees().await;
            at_every_instant(&trees, limit);
            trees.iter().all(|tree| tree.task.status.is_final())
        };
        let mut over = false;
        site.until("the end", day, async || {
            over = all_over().await;
            over || death.is_some_and(|at| site.clock.monotonic() >= at)
        })
        .await;
        if over {
            break;
        }
        death = None;
        instances.remove(0).kill().await;
    }
    assert!(!broken.load(Ordering::SeqCst), "see what was said above");
    for tree in site.trees().await {
        at_the_end(&tree);
    }
    for (of, record) in &*site.records.lock().unwrap() {
        assert_eq!(record.times, 1, "{of:?}");
    }
    for instance in instances {
        instance.kill().await;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_limit_is_exceeded_and_no_node_is_in_two_tasks(case in cases()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(play(&case));
    }
}
