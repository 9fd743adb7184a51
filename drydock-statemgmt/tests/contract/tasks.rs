//! Tasks: taken, queued, planned, listed.

use std::time::Duration;

use drydock_model::filter::NodeFilter;
use drydock_model::id::Epoch;
use drydock_model::oob::{BootDevice, OobCommand};
use drydock_model::step::StepStatus;
use drydock_model::store::{Leadership, StepEnd, StoreError, TaskQuery};
use drydock_model::task::{ResultStatus, TaskAction, TaskStatus};
use uuid::Uuid;

use crate::place::{
    GRACE, Place, claim_one, digest, facts, id, instance, lead, message, new_task, nodes,
    odd_object, pipeline, plan, planned,
};

pub async fn a_task_comes_back_as_it_was_given(place: Place) {
    let store = place.open().await;
    let mut given = new_task(-7);
    given.action = TaskAction::OobNodes;
    given.oob = Some(OobCommand::Boot(BootDevice::Cd));
    given.node_filter = Some(NodeFilter::one("n1"));
    given.dry_run = true;
    given.retry = 3;
    given.context_marker = Some(Uuid::new_v4());
    let task = store.create_task(&given).await.unwrap();
    assert_eq!(task, store.tree(task.id).await.unwrap().task);
    assert_eq!(task.id, given.id);
    assert_eq!((task.action, task.oob), (TaskAction::OobNodes, given.oob));
    assert_eq!(task.design_ref, given.design_ref);
    assert_eq!(task.node_filter, given.node_filter);
    assert_eq!((task.priority, task.dry_run, task.retry), (-7, true, 3));
    assert_eq!(
        (&task.created_by, task.context_marker),
        (&given.created_by, given.context_marker)
    );
    assert_eq!(task.status, TaskStatus::Queued);
    assert_eq!(
        (task.terminate, task.terminated, &task.terminated_by),
        (false, None, &None)
    );
    assert_eq!(
        (task.digest, task.verdict, task.messages.len()),
        (None, None, 0)
    );
    if place.file.is_none() {
        let off = (chrono::Utc::now() - task.created).abs();
        assert!(
            off < chrono::TimeDelta::minutes(10),
            "hours off: {}",
            task.created
        );
    }
    let again = store.create_task(&given).await;
    assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
}

pub async fn an_idempotency_key_gives_the_first_task(place: Place) {
    let store = place.open().await;
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let store = store.clone();
            let mut task = new_task(0);
            task.idempotency_key = Some("once".to_owned());
            tokio::spawn(async move { store.create_task(&task).await.unwrap() })
        })
        .collect();
    let mut ids = std::collections::HashSet::new();
    for task in tasks {
        ids.insert(task.await.unwrap().id);
    }
    assert_eq!(ids.len(), 1);
    let mut other = new_task(0);
    other.idempotency_key = Some("twice".to_owned());
    assert_eq!(store.create_task(&other).await.unwrap().id, other.id);
    assert_eq!(store.queued(100).await.unwrap().len(), 2);
}

pub async fn the_queue_goes_by_priority_then_age(place: Place) {
    let store = place.open().await;
    let mut ids = vec![];
    for priority in [0, 5, -100, 5, 0] {
        ids.push(store.create_task(&new_task(priority)).await.unwrap().id);
    }
    let queue: Vec<_> = store
        .queued(10)
        .await
        .unwrap()
        .iter()
        .map(|task| task.id)
        .collect();
    assert_eq!(queue, [ids[1], ids[3], ids[0], ids[4], ids[2]]);
    let first: Vec<_> = store
        .queued(2)
        .await
        .unwrap()
        .iter()
        .map(|task| task.id)
        .collect();
    assert_eq!(first, [ids[1], ids[3]]);
}

pub async fn a_tree_is_found_by_any_id_in_it(place: Place) {
    let store = place.open().await;
    let leader = lead(&store).await;
    let other = planned(&store, leader, &plan([nodes(&["x"])])).await;
    let shape = plan([
        vec![pipeline(None, 2)],
        vec![pipeline(Some("b"), 1), pipeline(Some("a"), 2)],
    ]);
    let task = planned(&store, leader, &shape).await;
    let tree = store.tree(task).await.unwrap();
    let places: Vec<_> = tree
        .steps
        .iter()
        .map(|step| {
            (
                step.stage,
                step.pipeline_ordinal,
                step.ordinal,
                step.node.as_deref(),
            )
        })
        .collect();
    let expected = [
        (0, 0, 0, None),
        (0, 0, 1, None),
        (1, 0, 0, Some("b")),
        (1, 1, 0, Some("a")),
        (1, 1, 1, Some("a")),
    ];
    assert_eq!(places, expected);
    for pipeline in shape.stages.iter().flatten() {
        assert_eq!(store.tree(pipeline.id).await.unwrap(), tree);
        for step in &pipeline.steps {
            assert_eq!(store.tree(step.id).await.unwrap(), tree);
        }
    }
    assert_ne!(store.tree(other).await.unwrap(), tree);
    assert_eq!(store.tree(id()).await, Err(StoreError::NotFound));
}

pub async fn trees_are_listed_by_criteria(place: Place) {
    let store = place.open().await;
    assert_eq!(store.trees(&TaskQuery::default()).await.unwrap(), []);
    let leader = lead(&store).await;
    let first = planned(&store, leader, &plan([nodes(&["a", "b"])])).await;
    let mut second = new_task(0);
    second.action = TaskAction::PrepareSite;
    second.design_ref = format!("https://{}", "Ä".repeat(5000));
    let second = store.create_task(&second).await.unwrap();
    let third = planned(&store, leader, &plan([nodes(&["c"])])).await;
    let list = async |query: TaskQuery| -> Vec<_> {
        store
            .trees(&query)
            .await
            .unwrap()
            .iter()
            .map(|tree| tree.task.id)
            .collect()
    };
    let all = store.trees(&TaskQuery::default()).await.unwrap();
    assert_eq!(
        all.iter().map(|tree| tree.task.id).collect::<Vec<_>>(),
        [first, second.id, third]
    );
    for tree in &all {
        assert_eq!(*tree, store.tree(tree.task.id).await.unwrap());
    }
    let none = TaskQuery::default;
    assert_eq!(
        list(TaskQuery {
            status: Some(TaskStatus::Queued),
            ..none()
        })
        .await,
        [second.id]
    );
    let by_action = TaskQuery {
        action: Some(TaskAction::Noop),
        ..none()
    };
    assert_eq!(list(by_action.clone()).await, [first, third]);
    let by_design = TaskQuery {
        design_ref: Some(second.design_ref.clone()),
        ..none()
    };
    assert_eq!(list(by_design).await, [second.id]);
    let head = second.design_ref.chars().take(100).collect();
    assert_eq!(
        list(TaskQuery {
            design_ref: Some(head),
            ..none()
        })
        .await,
        []
    );
    let since = Some(second.created);
    assert_eq!(
        list(TaskQuery {
            created_after: since,
            ..none()
        })
        .await,
        [second.id, third]
    );
    assert_eq!(
        list(TaskQuery {
            created_after: since,
            ..by_action
        })
        .await,
        [third]
    );
}

pub async fn trees_are_listed_from_one_on_and_the_other_way_round(place: Place) {
    let store = place.open().await;
    let mut ids = vec![];
    for _ in 0..5 {
        ids.push(store.create_task(&new_task(0)).await.unwrap().id);
    }
    let list = async |from: Option<usize>, limit: Option<i64>, newest_first: bool| -> Vec<_> {
        let query = TaskQuery {
            from: from.map(|at| ids[at]),
            limit,
            newest_first,
            ..TaskQuery::default()
        };
        let trees = store.trees(&query).await.unwrap();
        trees.iter().map(|tree| tree.task.id).collect()
    };
    let mut reversed = ids.clone();
    reversed.reverse();
    assert_eq!(list(None, Some(2), false).await, ids[..2]);
    assert_eq!(list(Some(2), None, false).await, ids[2..]);
    assert_eq!(list(Some(1), Some(3), false).await, ids[1..4]);
    assert_eq!(list(None, None, true).await, reversed);
    assert_eq!(list(Some(3), Some(2), true).await, [ids[3], ids[2]]);
    assert_eq!(list(Some(4), Some(9), false).await, [ids[4]]);
    let unknown = TaskQuery {
        from: Some(id()),
        ..TaskQuery::default()
    };
    assert_eq!(store.trees(&unknown).await.unwrap(), []);
}

pub async fn the_newest_tree_of_a_node_is_found(place: Place) {
    let store = place.open().await;
    let leader = lead(&store).await;
    assert_eq!(store.node_tree("a").await, Err(StoreError::NotFound));
    let first = planned(&store, leader, &plan([nodes(&["a", "b"])])).await;
    let second = planned(&store, leader, &plan([nodes(&["a"])])).await;
    store.create_task(&new_task(0)).await.unwrap();
    for (node, task) in [("a", second), ("b", first)] {
        let tree = store.node_tree(node).await.unwrap();
        assert_eq!(tree, store.tree(task).await.unwrap());
    }
    assert_eq!(store.node_tree("c").await, Err(StoreError::NotFound));
}

pub async fn only_the_leader_plans(place: Place) {
    let store = place.open().await;
    let old = store
        .claim_leadership(instance(), GRACE)
        .await
        .unwrap()
        .unwrap();
    store.abdicate(old).await.unwrap();
    let leader = lead(&store).await;
    let task = store.create_task(&new_task(0)).await.unwrap().id;
    let shape = plan([nodes(&["a"])]);
    let foreign = Leadership {
        instance: instance(),
        epoch: leader.epoch,
    };
    let ahead = Leadership {
        epoch: Epoch(leader.epoch.0 + 1),
        ..leader
    };
    for deposed in [old, foreign, ahead] {
        let refused = store.plan_task(deposed, task, &digest(), &shape, &[]).await;
        assert_eq!(refused, Err(StoreError::Deposed));
        let refused = store
            .end_task(deposed, task, ResultStatus::Failure, None, &[])
            .await;
        assert_eq!(refused, Err(StoreError::Deposed));
    }
    assert_eq!(store.queued(1).await.unwrap().len(), 1);
    store
        .plan_task(leader, task, &digest(), &shape, &[message("planned")])
        .await
        .unwrap();
    let tree = store.tree(task).await.unwrap();
    assert_eq!(
        (tree.task.status, tree.task.digest),
        (TaskStatus::Running, Some(digest()))
    );
    assert_eq!(tree.task.messages, [message("planned")]);
    assert_eq!(tree.steps[0].status, StepStatus::Ready);
}

pub async fn a_plan_is_taken_once(place: Place) {
    let store = place.open().await;
    let leader = lead(&store).await;
    let task = planned(&store, leader, &plan([nodes(&["a"])])).await;
    let again = store
        .plan_task(leader, task, &digest(), &plan([nodes(&["b"])]), &[])
        .await;
    assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
    let end = store
        .end_task(leader, task, ResultStatus::Success, None, &[])
        .await;
    assert!(matches!(end, Err(StoreError::Conflict(_))), "{end:?}");
    assert_eq!(store.tree(task).await.unwrap().steps.len(), 1);
    let missing = store
        .plan_task(leader, id(), &digest(), &plan([nodes(&["b"])]), &[])
        .await;
    assert_eq!(missing, Err(StoreError::NotFound));
}

pub async fn a_plan_that_cannot_be_kept_leaves_nothing(place: Place) {
    let store = place.open().await;
    let leader = lead(&store).await;
    let task = store.create_task(&new_task(0)).await.unwrap().id;
    let silent_node = plan([vec![pipeline(Some("a"), 1), pipeline(Some("b"), 0)]]);
    let refused = store
        .plan_task(leader, task, &digest(), &silent_node, &[])
        .await;
    assert!(
        matches!(refused, Err(StoreError::Internal(_))),
        "{refused:?}"
    );
    let mut twice = plan([nodes(&["a", "b"])]);
    twice.stages[0][1].steps[0].id = twice.stages[0][0].steps[0].id;
    let refused = store.plan_task(leader, task, &digest(), &twice, &[]).await;
    assert!(
        matches!(refused, Err(StoreError::Conflict(_))),
        "{refused:?}"
    );
    let tree = store.tree(task).await.unwrap();
    assert_eq!(
        (tree.task.status, tree.steps.len()),
        (TaskStatus::Queued, 0)
    );
    // A thousand nodes are more rows than one statement takes.
    let many = (0..1000)
        .map(|number| pipeline(Some(&format!("n{number}")), 3))
        .collect();
    store
        .plan_task(leader, task, &digest(), &plan([many]), &[])
        .await
        .unwrap();
    assert_eq!(store.tree(task).await.unwrap().steps.len(), 3000);
    // Nothing to do at all: over at once, not running for ever.
    let empty = planned(&store, leader, &plan([vec![], vec![]])).await;
    assert_eq!(
        store.tree(empty).await.unwrap().task.status,
        TaskStatus::Complete
    );
}

pub async fn a_task_ends_by_its_verdict(place: Place) {
    let store = place.open().await;
    let leader = lead(&store).await;
    let task = store.create_task(&new_task(0)).await.unwrap().id;
    let verdict = ResultStatus::PartialSuccess;
    store
        .end_task(leader, task, verdict, Some(&digest()), &[message("no")])
        .await
        .unwrap();
    let ended = store.tree(task).await.unwrap().task;
    assert_eq!(
        (ended.status, ended.verdict),
        (TaskStatus::Complete, Some(verdict))
    );
    assert_eq!(
        (ended.digest, &ended.messages[..]),
        (Some(digest()), &[message("no")][..])
    );
    assert_eq!(store.queued(1).await.unwrap(), []);
}

pub async fn long_and_odd_texts_survive(place: Place) {
    let store = place.open().await;
    let leader = lead(&store).await;
    let task = planned(&store, leader, &plan([nodes(&["a"])])).await;
    let mut long = message(&"größer\u{0}\n".repeat(120_000));
    assert!(long.message.len() > 1_000_000);
    long.extra = facts(odd_object());
    let reason = format!("the state {}", "\u{0}💥".repeat(100_000));
    let claim = claim_one(&store).await;
    store
        .wait_step(
            claim.step.id,
            claim.token,
            Duration::ZERO,
            &reason,
            0,
            std::slice::from_ref(&long),
        )
        .await
        .unwrap();
    let step = store.tree(task).await.unwrap().steps.remove(0);
    assert_eq!(
        (step.waiting_for.as_deref(), &step.messages[0]),
        (Some(&*reason), &long)
    );
    let claim = claim_one(&store).await;
    let end = StepEnd {
        success: true,
        messages: vec![long.clone()],
        facts: facts(odd_object()),
    };
    store
        .finish_step(claim.step.id, claim.token, &end)
        .await
        .unwrap();
    let step = store.tree(task).await.unwrap().steps.remove(0);
    assert_eq!(
        (step.messages, step.facts),
        (vec![long.clone(), long], facts(odd_object()))
    );
}

pub async fn tasks_are_counted_by_status(place: Place) {
    let store = place.open().await;
    assert_eq!(store.count_tasks().await.unwrap(), []);
    let mut first = None;
    for _ in 0..3 {
        let task = store.create_task(&new_task(0)).await.unwrap();
        first.get_or_insert(task.id);
    }
    store.terminate_task(first.unwrap(), "hedy").await.unwrap();
    let mut counts = store.count_tasks().await.unwrap();
    counts.sort();
    assert_eq!(
        counts,
        [(TaskStatus::Queued, 2), (TaskStatus::Terminated, 1)]
    );
}
