//! What follows from its arguments alone: plans and outcomes.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use drydock_model::driver::DriverKind;
use drydock_model::effective::Node;
use drydock_model::id::{IdSource, TaskId};
use drydock_model::oob::{BootDevice, OobCommand};
use drydock_model::step::{Condition, Step, StepAction, StepStatus};
use drydock_model::store::TaskTree;
use drydock_model::task::{ResultStatus, Task, TaskAction, TaskStatus};
use drydock_orchestrator::outcome;
use drydock_orchestrator::planner::{Work, is_node_scoped, plan};
use drydock_orchestrator::settings::{EngineSettings, Timeouts};
use drydock_orchestrator::system::RandomIds;
use serde_json::Map;

use crate::bench::{Bench, names};

#[tokio::test]
async fn every_action_has_its_steps() {
    let bench = Bench::new(2).await;
    let nodes = bench.nodes().await;
    let timeouts = Timeouts::default();
    let mut shown = String::new();
    let without_parameters = |action: &&TaskAction| **action != TaskAction::OobNodes;
    for action in TaskAction::ALL.iter().filter(without_parameters) {
        let Some(plan) = plan(*action, &nodes, &timeouts, &RandomIds) else {
            shown.push_str(&format!("{action}: a verdict\n"));
            continue;
        };
        assert_eq!(plan.stages.len(), 1);
        let pipelines = &plan.stages[0];
        let of: Vec<_> = pipelines
            .iter()
            .map(|pipeline| pipeline.node.clone())
            .collect();
        let wanted = if is_node_scoped(*action) {
            names(2).into_iter().map(Some).collect()
        } else {
            vec![None]
        };
        assert_eq!(of, wanted, "{action}");
        let steps = pipelines[0].steps.iter().map(|step| match step.condition {
            Condition::Always => step.action.to_string(),
            Condition::NodeUnknown => format!("({} if unknown)", step.action),
        });
        shown.push_str(&format!(
            "{action}: {}\n",
            steps.collect::<Vec<_>>().join(", ")
        ));
        for step in pipelines.iter().flat_map(|pipeline| &pipeline.steps) {
            assert_eq!(step.timeout, timeouts.of(step.action));
        }
    }
    // As spec/tasks.md lists them.
    assert_eq!(
        shown,
        "validate_design: a verdict\n\
         verify_site: validate_node_services\n\
         prepare_site: create_network_template, configure_user_credentials, configure_node_provisioner, create_storage_template, create_boot_media\n\
         verify_nodes: interrogate_oob\n\
         prepare_nodes: identify_node, (set_node_boot if unknown), (power_cycle_node if unknown), (identify_node if unknown), configure_hardware\n\
         deploy_nodes: apply_node_networking, apply_node_storage, apply_node_platform, deploy_node, bootaction_report\n\
         destroy_nodes: destroy_node\n\
         relabel_nodes: a verdict\n\
         noop: noop\n"
    );
}

#[tokio::test]
async fn every_command_to_controllers_has_its_steps() {
    let bench = Bench::new(2).await;
    let nodes = bench.nodes().await;
    let mut shown = String::new();
    for command in [
        OobCommand::Status,
        OobCommand::On,
        OobCommand::Off,
        OobCommand::Cycle,
        OobCommand::Boot(BootDevice::Disk),
    ] {
        for provisioner in [false, true] {
            let work = Work {
                action: TaskAction::OobNodes,
                oob: Some(command),
                provisioner,
            };
            let plan = plan(work, &nodes, &Timeouts::default(), &RandomIds).unwrap();
            let pipelines = &plan.stages[0];
            assert_eq!((plan.stages.len(), pipelines.len()), (1, 2));
            let steps = pipelines[1].steps.iter();
            let steps: Vec<_> = steps.map(|step| step.action.as_str()).collect();
            shown.push_str(&format!("{command} {provisioner}: {}\n", steps.join(", ")));
        }
    }
    assert!(is_node_scoped(TaskAction::OobNodes));
    // Who the provisioner's own controllers are is asked before power is taken away, where there is anybody to ask.
    assert_eq!(
        shown,
        "status false: interrogate_oob\n\
         status true: interrogate_oob\n\
         on false: power_on_node\n\
         on true: power_on_node\n\
         off false: power_off_node\n\
         off true: interrogate_node, power_off_node\n\
         cycle false: power_cycle_node\n\
         cycle true: interrogate_node, power_cycle_node\n\
         boot disk false: set_node_boot\n\
         boot disk true: set_node_boot\n"
    );
}

#[test]
fn the_deadlines_are_those_that_operators_know() {
    let timeouts = Timeouts::default();
    let minutes = |action: StepAction| timeouts.of(action).as_secs() / 60;
    assert_eq!(minutes(StepAction::DeployNode), 45);
    assert_eq!(minutes(StepAction::ConfigureHardware), 30);
    assert_eq!(minutes(StepAction::BootactionReport), 15);
    assert_eq!(minutes(StepAction::IdentifyNode), 10);
    assert_eq!(minutes(StepAction::CreateNetworkTemplate), 2);
    assert_eq!(
        timeouts.of(StepAction::InterrogateOob),
        Duration::from_secs(300)
    );
}

/// A controller is given minutes, an operator's hands a day; what the provisioner does to the same node is as quick as ever.
#[tokio::test]
async fn hands_are_given_more_time_than_controllers() {
    let bench = Bench::new(1).await;
    let mut node = Node::clone(&bench.nodes().await[0]);
    let timeouts = Timeouts::default();
    for (kind, oob) in [
        ("ipmi", timeouts.drydock),
        ("manual", Duration::from_secs(24 * 3600)),
    ] {
        node.oob.kind = kind.to_owned();
        let nodes = [Arc::new(node.clone())];
        let plan = plan(TaskAction::PrepareNodes, &nodes, &timeouts, &RandomIds).unwrap();
        for step in &plan.stages[0][0].steps {
            let by_driver = match step.action.driver_kind() {
                Some(DriverKind::Oob) => oob,
                _ => timeouts.of(step.action),
            };
            assert_eq!(step.timeout, by_driver, "{kind}: {}", step.action);
        }
    }
}

#[test]
fn a_dead_leader_is_missed_after_seconds() {
    let settings = EngineSettings::default();
    let seconds = |duration: Duration| duration.as_secs_f64();
    assert_eq!(seconds(settings.grace_period), 5.0);
    assert_eq!(seconds(settings.claim_interval), 1.0);
    assert_eq!(seconds(settings.heartbeat), 1.0);
    assert_eq!(seconds(settings.clock_skew), 1.0);
    assert_eq!(settings.nodes_in_flight, None);
}

/// A tree of pipelines, each a node (or `-` for the site) and the states of its steps.
fn tree(status: TaskStatus, pipelines: &[(&str, &[StepStatus])]) -> TaskTree {
    let now = Utc::now();
    let id = TaskId(RandomIds.uuid());
    let mut steps = Vec::new();
    for (place, (node, states)) in pipelines.iter().enumerate() {
        let pipeline = TaskId(RandomIds.uuid());
        for (ordinal, state) in states.iter().enumerate() {
            steps.push(Step {
                id: TaskId(RandomIds.uuid()),
                task: id,
                pipeline,
                stage: 0,
                pipeline_ordinal: place as i32,
                ordinal: ordinal as i32,
                node: (*node != "-").then(|| (*node).to_owned()),
                action: StepAction::Noop,
                condition: Condition::Always,
                status: *state,
                attempt: 1,
                failures: 0,
                timeout_s: 1.0,
                deadline: None,
                not_before: None,
                waiting_for: None,
                blocked_by: None,
                holder: None,
                started: None,
                updated: now,
                ended: None,
                messages: Vec::new(),
                facts: Map::new(),
            });
        }
    }
    let task = Task {
        id,
        action: TaskAction::Noop,
        design_ref: "design:x".into(),
        node_filter: None,
        priority: 0,
        dry_run: false,
        strategy: None,
        oob: None,
        plan: None,
        created_by: "test".into(),
        context_marker: None,
        created: now,
        updated: now,
        terminated: None,
        terminated_by: None,
        terminate: false,
        retry: 0,
        status,
        digest: None,
        verdict: None,
        messages: Vec::new(),
    };
    TaskTree { task, steps }
}

#[test]
fn a_task_is_judged_by_its_nodes() {
    use ResultStatus as R;
    use StepStatus::{Done, Failed, Ready, Running, Skipped, Terminated, Waiting};
    use TaskStatus as T;
    type Case<'a> = (
        &'a str,
        TaskStatus,
        &'a [(&'a str, &'a [StepStatus])],
        ResultStatus,
        &'a [&'a str],
        &'a [&'a str],
    );
    let cases: &[Case<'_>] = &[
        (
            "all through",
            T::Complete,
            &[("a", &[Done, Done]), ("b", &[Done])],
            R::Success,
            &["a", "b"],
            &[],
        ),
        (
            "one failed",
            T::Complete,
            &[("b", &[Done]), ("a", &[Failed, Skipped])],
            R::PartialSuccess,
            &["b"],
            &["a"],
        ),
        (
            "failed early, never silently absent",
            T::Complete,
            &[("a", &[Failed, Skipped, Skipped])],
            R::Failure,
            &[],
            &["a"],
        ),
        (
            "none through",
            T::Complete,
            &[("a", &[Failed]), ("b", &[Failed])],
            R::Failure,
            &[],
            &["a", "b"],
        ),
        (
            "site through",
            T::Complete,
            &[("-", &[Done, Done])],
            R::Success,
            &[],
            &[],
        ),
        (
            "site failed",
            T::Complete,
            &[("-", &[Done, Failed])],
            R::Failure,
            &[],
            &[],
        ),
        (
            "site failed, nodes through",
            T::Complete,
            &[("-", &[Failed]), ("a", &[Done])],
            R::Failure,
            &["a"],
            &[],
        ),
        (
            "still at it",
            T::Running,
            &[("a", &[Done]), ("b", &[Running]), ("c", &[Failed])],
            R::Incomplete,
            &["a"],
            &["c"],
        ),
        (
            "about to",
            T::Running,
            &[("a", &[Ready]), ("b", &[Waiting])],
            R::Incomplete,
            &[],
            &[],
        ),
        (
            "terminated half way",
            T::Terminated,
            &[("a", &[Done]), ("b", &[Terminated])],
            R::PartialSuccess,
            &["a"],
            &["b"],
        ),
        (
            "terminated at once",
            T::Terminated,
            &[("a", &[Terminated])],
            R::Failure,
            &[],
            &["a"],
        ),
        (
            "terminated before it was planned",
            T::Terminated,
            &[],
            R::Failure,
            &[],
            &[],
        ),
        (
            "a node of two pipelines",
            T::Complete,
            &[("a", &[Done]), ("a", &[Failed]), ("b", &[Done])],
            R::PartialSuccess,
            &["b"],
            &["a"],
        ),
    ];
    for (what, status, pipelines, result, successes, failures) in cases {
        let outcome = outcome::of_tree(&tree(*status, pipelines));
        assert_eq!(outcome.result, *result, "{what}");
        assert_eq!(outcome.successes, *successes, "{what}");
        assert_eq!(outcome.failures, *failures, "{what}");
    }
}

#[test]
fn a_verdict_of_its_own_stands_above_the_steps() {
    let mut tree = tree(TaskStatus::Complete, &[]);
    tree.task.verdict = Some(ResultStatus::Failure);
    assert_eq!(outcome::of_tree(&tree).result, ResultStatus::Failure);
}

#[test]
fn steps_and_shares_are_judged_alike() {
    for (state, status, result) in [
        (
            StepStatus::Pending,
            TaskStatus::Queued,
            ResultStatus::Incomplete,
        ),
        (
            StepStatus::Running,
            TaskStatus::Running,
            ResultStatus::Incomplete,
        ),
        (
            StepStatus::Waiting,
            TaskStatus::Running,
            ResultStatus::Incomplete,
        ),
        (
            StepStatus::Done,
            TaskStatus::Complete,
            ResultStatus::Success,
        ),
        (
            StepStatus::Failed,
            TaskStatus::Complete,
            ResultStatus::Failure,
        ),
        (
            StepStatus::Terminated,
            TaskStatus::Terminated,
            ResultStatus::Failure,
        ),
    ] {
        let tree = tree(TaskStatus::Running, &[("a", &[state])]);
        let steps: Vec<_> = tree.steps.iter().collect();
        for outcome in [
            outcome::of_step(&tree.steps[0]),
            outcome::of_pipeline(&steps),
        ] {
            assert_eq!(
                (outcome.status, outcome.result),
                (status, result),
                "{state}"
            );
        }
    }
}

#[tokio::test]
async fn the_same_arguments_give_the_same_plan() {
    struct Counting(std::sync::atomic::AtomicU64);
    impl IdSource for Counting {
        fn uuid(&self) -> uuid::Uuid {
            uuid::Uuid::from_u64_pair(0, self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst))
        }
        fn ulid(&self, unix_ms: u64) -> ulid::Ulid {
            ulid::Ulid::from_parts(unix_ms, 0)
        }
    }
    let nodes = Bench::new(3).await.nodes().await;
    let timeouts = Timeouts::default();
    let plans: Vec<_> = (0..2)
        .map(|_| {
            plan(
                TaskAction::DeployNodes,
                &nodes,
                &timeouts,
                &Counting(Default::default()),
            )
        })
        .collect();
    assert_eq!(plans[0], plans[1]);
    assert_eq!(
        Arc::strong_count(&nodes[0]),
        1,
        "a plan keeps names, not nodes"
    );
}
