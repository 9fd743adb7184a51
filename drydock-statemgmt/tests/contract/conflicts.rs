//! Who keeps whom from beginning: the site, a node, the limit on nodes.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use drydock_model::store::TaskQuery;
use drydock_model::task::TaskStatus;

use crate::place::{
    Place, claim_one, done, instance, lead, nodes, pipeline, plan, planned, planned_at, statuses,
};

pub async fn the_site_belongs_to_one_task_at_a_time(place: Place) {
    let store = place.open().await;
    let leader = lead(&store).await;
    let of_site = || plan([vec![pipeline(None, 2)]]);
    let (first, second) = (
        planned(&store, leader, &of_site()).await,
        planned(&store, leader, &of_site()).await,
    );
    // Nodes are another matter.
    let elsewhere = planned(&store, leader, &plan([nodes(&["a"])])).await;
    let claims = store.claim_steps(instance(), 10).await.unwrap();
    let tasks: Vec<_> = claims.iter().map(|claim| claim.step.task).collect();
    assert_eq!(tasks, [first, elsewhere], "of two tasks on the site one");
    // Not even a better one comes in between, whether the site's step runs, waits or has made way for the next.
    let best = planned_at(&store, leader, &of_site(), 50).await;
    assert!(store.claim_steps(instance(), 10).await.unwrap().is_empty());
    let hour = Duration::from_secs(3600);
    let (step, token) = (claims[0].step.id, claims[0].token);
    store
        .wait_step(step, token, hour, "images", 0, &[])
        .await
        .unwrap();
    assert!(store.claim_steps(instance(), 10).await.unwrap().is_empty());
    let tree = store.tree(second).await.unwrap();
    assert_eq!(tree.steps[0].blocked_by, Some(first));
    store.terminate_task(first, "somebody").await.unwrap();
    let next = claim_one(&store).await;
    assert_eq!(next.step.task, best, "then priority decides");
    store
        .finish_step(next.step.id, next.token, &done())
        .await
        .unwrap();
    let next = claim_one(&store).await;
    assert_eq!((next.step.task, next.step.ordinal), (best, 1));
    assert_eq!(statuses(&store, second).await, ["ready", "pending"]);
}

pub async fn a_step_that_cannot_begin_names_the_task_in_its_way(place: Place) {
    let store = place.open().await;
    let leader = lead(&store).await;
    let first = planned(&store, leader, &plan([nodes(&["a", "b"])])).await;
    let begun = claim_one(&store).await;
    assert_eq!(begun.step.node.as_deref(), Some("a"));
    let second = planned(
        &store,
        leader,
        &plan([vec![pipeline(Some("a"), 2), pipeline(Some("c"), 1)]]),
    )
    .await;
    let blocked = async || -> Vec<_> {
        let tree = store.tree(second).await.unwrap();
        // The list says the same.
        let all = store.trees(&TaskQuery::default()).await.unwrap();
        assert!(all.contains(&tree), "{all:#?}");
        tree.steps.iter().map(|step| step.blocked_by).collect()
    };
    assert_eq!(blocked().await, [Some(first), None, None]);
    assert_eq!(store.tree(first).await.unwrap().steps[1].blocked_by, None);
    store
        .finish_step(begun.step.id, begun.token, &done())
        .await
        .unwrap();
    assert_eq!(blocked().await, [None, None, None]);
}

pub async fn no_more_nodes_are_begun_on_than_the_limit_allows(place: Place) {
    const LIMIT: usize = 3;
    let stores = [place.open().await, place.open().await];
    let leader = lead(&stores[0]).await;
    let names: Vec<String> = (0..10).map(|number| format!("n{number}")).collect();
    for _ in 0..2 {
        let pipelines = names.iter().map(|name| pipeline(Some(name), 2)).collect();
        planned(&stores[0], leader, &plan([pipelines])).await;
    }
    let site = planned(&stores[0], leader, &plan([vec![pipeline(None, 1)]])).await;
    let begun = std::sync::Arc::new(std::sync::Mutex::new(HashSet::<String>::new()));
    let claimers = (0..16).map(|number| {
        let (store, begun) = (stores[number % 2].clone(), begun.clone());
        tokio::spawn(async move {
            let (mut count, started) = (0, Instant::now());
            let within = Some(u32::try_from(LIMIT).unwrap());
            loop {
                assert!(
                    started.elapsed() < Duration::from_secs(60),
                    "steps are left"
                );
                let claims = store
                    .claim_steps_within(instance(), 4, within)
                    .await
                    .unwrap();
                for claim in &claims {
                    if let Some(node) = &claim.step.node {
                        let mut begun = begun.lock().unwrap();
                        begun.insert(node.clone());
                        assert!(begun.len() <= LIMIT, "{begun:?}");
                        // Forgotten before it is freed: the set is never larger than the truth.
                        if claim.step.ordinal == 1 {
                            begun.remove(node);
                        }
                    }
                    store
                        .finish_step(claim.step.id, claim.token, &done())
                        .await
                        .unwrap();
                    count += 1;
                }
                if claims.is_empty() && store.next_due().await.unwrap().is_none() {
                    return count;
                }
            }
        })
    });
    let mut count = 0;
    for claimer in claimers.collect::<Vec<_>>() {
        count += claimer.await.unwrap();
    }
    let store = &stores[0];
    while let [claim] = &store.claim_steps(instance(), 1).await.unwrap()[..] {
        store
            .finish_step(claim.step.id, claim.token, &done())
            .await
            .unwrap();
        count += 1;
    }
    assert_eq!(count, 41);
    assert_eq!(
        store.tree(site).await.unwrap().task.status,
        TaskStatus::Complete
    );
}

pub async fn a_limit_without_room_makes_nothing_due(place: Place) {
    let store = place.open().await;
    let leader = lead(&store).await;
    planned(&store, leader, &plan([nodes(&["a", "b"])])).await;
    let holder = instance();
    let claims = store.claim_steps_within(holder, 9, Some(1)).await.unwrap();
    assert_eq!(claims.len(), 1);
    assert_eq!(store.next_due_within(Some(1)).await.unwrap(), None);
    assert_eq!(
        store.next_due_within(Some(2)).await.unwrap(),
        Some(Duration::ZERO)
    );
    // Given back it counts as begun, and may be begun again.
    store.return_claims(holder).await.unwrap();
    assert_eq!(
        store.next_due_within(Some(1)).await.unwrap(),
        Some(Duration::ZERO)
    );
    let again = store
        .claim_steps_within(instance(), 9, Some(1))
        .await
        .unwrap();
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].step.id, claims[0].step.id);
    // Site steps are no nodes.
    planned(&store, leader, &plan([vec![pipeline(None, 1)]])).await;
    let site = store
        .claim_steps_within(instance(), 9, Some(1))
        .await
        .unwrap();
    assert_eq!((site.len(), site[0].step.node.as_ref()), (1, None));
}
