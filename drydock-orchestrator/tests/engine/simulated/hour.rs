//! An hour of deployment with deadlines and failovers, in simulated time.

use std::time::Duration;

use drydock_model::clock::Clock;
use drydock_model::id::{Epoch, TaskId};
use drydock_model::step::{StepAction, StepStatus};
use drydock_model::task::{NewTask, ResultStatus, TaskAction, TaskStatus};
use drydock_orchestrator::{outcome, progress};

use super::site::{Nature, Site};
use crate::bench::said;

const MINUTE: Duration = Duration::from_secs(60);

const PLAIN: Nature = Nature {
    takes: Duration::from_secs(240),
    refuses: None,
    hangs: None,
    answers: Duration::ZERO,
};

fn nodes(count: usize) -> Vec<(String, Option<String>)> {
    (1..=count).map(|n| (format!("n{n}"), None)).collect()
}

async fn site(count: usize) -> Site {
    let mut site = Site::new(&nodes(count), PLAIN).await;
    // Five times slower than the defaults, in the same proportion: so much less happens in an hour.
    site.settings.grace_period = Duration::from_secs(25);
    site.settings.heartbeat = Duration::from_secs(5);
    site.settings.claim_interval = Duration::from_secs(5);
    site.settings.poll_interval = Duration::from_secs(5);
    site
}

/// The longest that a place stays empty: grace and the time to notice, and one second over.
const TAKEOVER: Duration = Duration::from_secs(25 + 5 + 1);

async fn ended(site: &Site, id: TaskId) -> bool {
    let tree = site.store.tree(id).await.unwrap();
    tree.task.status.is_final()
}

async fn epoch(site: &Site) -> Option<Epoch> {
    let leader = site.store.leader().await.unwrap();
    leader.map(|leader| leader.epoch)
}

#[tokio::test]
async fn an_hour_with_a_deadline_and_a_failover() {
    let mut site = site(6).await;
    site.natures.get_mut("n6").unwrap().hangs = Some(StepAction::DeployNode);
    let first = site.start();
    site.until("a leader", MINUTE, async || {
        epoch(&site).await == Some(Epoch(1))
    })
    .await;
    let second = site.start();
    let task = site.task(TaskAction::DeployNodes);
    let id = site.store.create_task(&task).await.unwrap().id;
    let begun = site.clock.monotonic();
    let ten = begun + 10 * MINUTE;
    site.until("ten minutes", 11 * MINUTE, async || {
        site.clock.monotonic() >= ten
    })
    .await;
    let before = site.store.tree(id).await.unwrap();
    assert!(
        before
            .steps
            .iter()
            .any(|step| step.status == StepStatus::Done)
    );
    first.kill().await;
    site.until("another leader", TAKEOVER, async || {
        epoch(&site).await == Some(Epoch(2))
    })
    .await;
    site.until("the end", 61 * MINUTE, async || ended(&site, id).await)
        .await;
    let took = site.clock.monotonic() - begun;
    // Three steps of four minutes, then the deadline of forty-five.
    assert!(
        (57 * MINUTE..60 * MINUTE).contains(&took),
        "{took:?} in simulated time"
    );
    let tree = site.store.tree(id).await.unwrap();
    let outcome = outcome::of_tree(&tree);
    assert_eq!(outcome.result, ResultStatus::PartialSuccess);
    assert_eq!(outcome.failures, ["n6"]);
    assert!(
        said(&tree).contains(
            "error: the deadline of 45 minutes passed while waiting for: deploy_node to end"
        ),
        "{}",
        said(&tree)
    );
    for (of, record) in &*site.records.lock().unwrap() {
        assert_eq!(record.times, 1, "{of:?}");
    }
    assert_eq!(site.records.lock().unwrap().len(), 6 * 4);
    second.kill().await;
}

#[tokio::test]
async fn a_leader_that_cannot_renew_is_followed_and_works_on() {
    let site = site(2).await;
    let first = site.start();
    site.until("a leader", MINUTE, async || {
        epoch(&site).await == Some(Epoch(1))
    })
    .await;
    let task = site.task(TaskAction::DeployNodes);
    let id = site.store.create_task(&task).await.unwrap().id;
    site.until("a step", MINUTE, async || {
        let tree = site.store.tree(id).await.unwrap();
        tree.steps.iter().any(|step| step.attempt > 0)
    })
    .await;
    // Its heart beats, it executes; only its reign is not confirmed, and it cannot plan.
    {
        let mut cut_off = first.way.cut_off.lock().unwrap();
        cut_off.extend(["renew_leadership", "claim_leadership"]);
    }
    let second = site.start();
    site.until("another leader", TAKEOVER, async || {
        epoch(&site).await == Some(Epoch(2))
    })
    .await;
    let noop = site.task(TaskAction::Noop);
    let noop = site.store.create_task(&noop).await.unwrap().id;
    site.until("both ends", 30 * MINUTE, async || {
        ended(&site, id).await && ended(&site, noop).await
    })
    .await;
    let tree = site.store.tree(id).await.unwrap();
    assert_eq!(outcome::of_tree(&tree).result, ResultStatus::Success);
    for (of, record) in &*site.records.lock().unwrap() {
        assert_eq!(record.times, 1, "{of:?}");
    }
    first.kill().await;
    second.kill().await;
}

#[tokio::test]
async fn an_instance_that_falls_silent_loses_its_steps_to_another() {
    let site = site(2).await;
    let first = site.start();
    let task = site.task(TaskAction::DeployNodes);
    let id = site.store.create_task(&task).await.unwrap().id;
    site.until("a step", MINUTE, async || {
        let tree = site.store.tree(id).await.unwrap();
        tree.steps.iter().any(|step| step.attempt > 0)
    })
    .await;
    // The network between it and the database is gone; it lives, and cannot know more.
    {
        let mut cut_off = first.way.cut_off.lock().unwrap();
        cut_off.extend([
            "heartbeat",
            "renew_leadership",
            "claim_leadership",
            "claim_steps_within",
            "wait_step",
            "finish_step",
            "return_step",
            "record_intent",
        ]);
    }
    let second = site.start();
    site.until("the end", 30 * MINUTE, async || ended(&site, id).await)
        .await;
    let tree = site.store.tree(id).await.unwrap();
    assert_eq!(outcome::of_tree(&tree).result, ResultStatus::Success);
    for (of, record) in &*site.records.lock().unwrap() {
        assert_eq!(record.times, 1, "{of:?}");
    }
    first.kill().await;
    second.kill().await;
}

#[tokio::test]
async fn a_stop_in_order_gives_everything_back_at_once() {
    let site = site(1).await;
    let first = site.start();
    let task = site.task(TaskAction::DeployNodes);
    let id = site.store.create_task(&task).await.unwrap().id;
    site.until("a step", MINUTE, async || {
        let tree = site.store.tree(id).await.unwrap();
        tree.steps.iter().any(|step| step.attempt > 0)
    })
    .await;
    first.stop.cancel();
    site.until("its end", Duration::from_secs(1), async || {
        first.has_ended()
    })
    .await;
    assert_eq!(epoch(&site).await, None, "the place is free");
    let tree = site.store.tree(id).await.unwrap();
    assert!(tree.steps.iter().all(|step| step.holder.is_none()));
    let stopped = site.clock.monotonic();
    let second = site.start();
    site.until("another leader", Duration::from_secs(1), async || {
        epoch(&site).await == Some(Epoch(2))
    })
    .await;
    assert!(site.clock.monotonic() - stopped < Duration::from_secs(1));
    site.until("the end", 30 * MINUTE, async || ended(&site, id).await)
        .await;
    assert_eq!(
        site.store.tree(id).await.unwrap().task.status,
        TaskStatus::Complete
    );
    second.kill().await;
}

/// A BMC may let one wait for minutes. That holds up what it was asked for and nothing else.
#[tokio::test]
async fn who_stops_in_order_leads_no_more_while_its_last_call_comes_to_its_end() {
    let mut site = site(1).await;
    let slow = site.natures.get_mut("n1").unwrap();
    slow.answers = 2 * MINUTE;
    let first = site.start();
    let task = site.task(TaskAction::DeployNodes);
    let id = site.store.create_task(&task).await.unwrap().id;
    site.until("a call", MINUTE, async || {
        let step = site.store.tree(id).await.unwrap().steps.remove(0);
        !site.store.step_journal(step.id).await.unwrap().is_empty()
    })
    .await;
    first.stop.cancel();
    let second = site.start();
    site.until(
        "another leader",
        2 * site.settings.claim_interval,
        async || epoch(&site).await == Some(Epoch(2)),
    )
    .await;
    assert!(!first.has_ended(), "its call goes on");
    site.until("the end", 60 * MINUTE, async || ended(&site, id).await)
        .await;
    assert!(first.has_ended());
    for (of, record) in &*site.records.lock().unwrap() {
        assert_eq!(record.times, 1, "{of:?}");
    }
    second.kill().await;
}

#[tokio::test]
async fn the_estimate_comes_from_the_nodes_that_came_through() {
    let site = site(4).await;
    let instance = site.start();
    let strategy = serde_json::from_str(r#"{"max_in_flight":1}"#).unwrap();
    let task = NewTask {
        strategy: Some(strategy),
        ..site.task(TaskAction::DestroyNodes)
    };
    let id = site.store.create_task(&task).await.unwrap().id;
    let through = async |count: usize| {
        site.until("so many nodes", 30 * MINUTE, async || {
            let tree = site.store.tree(id).await.unwrap();
            outcome::of_tree(&tree).successes.len() == count
        })
        .await;
        let tree = site.store.tree(id).await.unwrap();
        progress::of_tree(&tree, site.clock.now())
    };
    site.until("a plan", MINUTE, async || {
        !site.store.tree(id).await.unwrap().steps.is_empty()
    })
    .await;
    assert_eq!(through(0).await.eta_seconds, None, "nothing is known yet");
    // Four minutes each, looked at every ten seconds.
    for (count, minutes) in [(1, 12), (2, 8), (3, 4)] {
        let progress = through(count).await;
        let eta = progress.eta_seconds.unwrap();
        assert_eq!((progress.total, progress.done), (4, count));
        assert!(
            (minutes * 60 - 15..=minutes * 60 + 40).contains(&eta),
            "{progress:?}"
        );
    }
    assert_eq!(through(4).await.eta_seconds, None, "nothing is left");
    instance.kill().await;
}
