//! Build data: fenced, limited, and there after its task.

use drydock_model::build_data::{BuildData, KEPT};
use drydock_model::step::ClaimedStep;
use drydock_model::store::{Store, StoreError};
use std::sync::Arc;

use crate::place::{Place, claim_one, done, id, lead, message, nodes, pipeline, plan, planned};

/// What the holder of this claim found out.
pub fn collected(claim: &ClaimedStep, generator: &str, text: &str) -> BuildData {
    BuildData {
        node_name: claim.step.node.clone().unwrap(),
        generator: generator.into(),
        collected_date: message("").ts,
        task_id: claim.step.id,
        data_format: "text/plain".into(),
        data_element: text.into(),
    }
}

async fn end(store: &Arc<dyn Store>, claim: &ClaimedStep) {
    store
        .finish_step(claim.step.id, claim.token, &done())
        .await
        .unwrap();
}

pub async fn it_comes_back_by_node_and_by_task(place: Place) {
    let store = place.open().await;
    let leader = lead(&store).await;
    let task = planned(&store, leader, &plan([nodes(&["a", "b"])])).await;
    let (a, b) = (claim_one(&store).await, claim_one(&store).await);
    let odd = collected(&a, "lshw", "a \u{0} b ü 💥");
    let other = collected(&a, "lldp", "x");
    let of_b = collected(&b, "lshw", "y");
    store
        .record_build_data(a.step.id, a.token, &[odd.clone(), other.clone()])
        .await
        .unwrap();
    store
        .record_build_data(b.step.id, b.token, std::slice::from_ref(&of_b))
        .await
        .unwrap();
    let node = a.step.node.as_deref().unwrap();
    assert_eq!(
        store.node_build_data(node).await.unwrap(),
        [odd.clone(), other.clone()]
    );
    // A step that runs again replaces its own.
    let again = collected(&a, "lshw", "newer");
    store
        .record_build_data(a.step.id, a.token, std::slice::from_ref(&again))
        .await
        .unwrap();
    assert_eq!(
        store.task_build_data(task).await.unwrap(),
        [again, other, of_b]
    );
    assert_eq!(store.node_build_data("nobody").await.unwrap(), []);
    assert_eq!(store.task_build_data(id()).await.unwrap(), []);
}

pub async fn only_the_holder_keeps_any(place: Place) {
    let store = place.open().await;
    let leader = lead(&store).await;
    planned(&store, leader, &plan([nodes(&["a"])])).await;
    let lost = claim_one(&store).await;
    store.return_step(lost.step.id, lost.token).await.unwrap();
    let data = [collected(&lost, "lshw", "late")];
    let refused = store
        .record_build_data(lost.step.id, lost.token, &data)
        .await;
    assert_eq!(refused, Err(StoreError::StaleClaim));
    assert_eq!(store.node_build_data("a").await.unwrap(), []);
}

pub async fn the_newest_of_each_generator_are_kept(place: Place) {
    let store = place.open().await;
    let leader = lead(&store).await;
    let all = KEPT + 2;
    planned(&store, leader, &plan([vec![pipeline(Some("a"), all)]])).await;
    planned(&store, leader, &plan([nodes(&["b"])])).await;
    for number in 0..=all {
        let claim = claim_one(&store).await;
        let mut data = vec![collected(&claim, "lshw", &number.to_string())];
        // One that comes up once must not be pushed out by the other.
        if number == 0 {
            data.push(collected(&claim, "lldp", "once"));
        }
        store
            .record_build_data(claim.step.id, claim.token, &data)
            .await
            .unwrap();
        end(&store, &claim).await;
    }
    let texts = |data: Vec<BuildData>| -> Vec<String> {
        data.into_iter().map(|one| one.data_element).collect()
    };
    let of_a = texts(store.node_build_data("a").await.unwrap());
    let of_b = texts(store.node_build_data("b").await.unwrap());
    assert_eq!(of_b.len(), 1);
    assert_eq!(of_a.len(), KEPT + 1);
    assert!(of_a.contains(&"once".to_owned()));
    let numbers: Vec<usize> = of_a.iter().filter_map(|text| text.parse().ok()).collect();
    let kept = |number: &usize| of_b[0].parse() != Ok(*number);
    let last: Vec<usize> = (0..=all).filter(kept).skip(all - KEPT).collect();
    assert_eq!(numbers, last);
}

pub async fn it_outlives_its_task(place: Place) {
    let store = place.open().await;
    let leader = lead(&store).await;
    let task = planned(&store, leader, &plan([nodes(&["a"])])).await;
    let claim = claim_one(&store).await;
    let data = [collected(&claim, "lshw", "x")];
    store
        .record_build_data(claim.step.id, claim.token, &data)
        .await
        .unwrap();
    end(&store, &claim).await;
    crate::purge::age(&place, 3).await;
    assert_eq!(store.purge_tasks(1).await, Ok(1));
    assert_eq!(store.tree(task).await, Err(StoreError::NotFound));
    assert_eq!(store.node_build_data("a").await.unwrap(), data);
}
