//! What the end of a step moves on.

use drydock_model::store::Advance;
use drydock_model::task::TaskStatus;

use crate::place::{
    Place, claim_one, done, failed, instance, lead, message, nodes, pipeline, plan, planned,
    statuses,
};

fn moved(ready: usize, task_ended: bool) -> Advance {
    Advance { ready, task_ended }
}

pub async fn pipelines_run_side_by_side_and_stages_one_after_another(place: Place) {
    let store = place.open().await;
    let leader = lead(&store).await;
    let shape = plan([
        vec![pipeline(Some("a"), 2), pipeline(Some("b"), 1)],
        vec![],
        vec![pipeline(None, 1)],
    ]);
    let task = planned(&store, leader, &shape).await;
    assert_eq!(
        statuses(&store, task).await,
        ["ready", "pending", "ready", "pending"]
    );
    let claims = store.claim_steps(instance(), 9).await.unwrap();
    let [a, b] = &claims[..] else {
        panic!("{claims:?}")
    };
    assert_eq!(
        store
            .finish_step(b.step.id, b.token, &done())
            .await
            .unwrap(),
        moved(0, false)
    );
    assert_eq!(
        store
            .finish_step(a.step.id, a.token, &done())
            .await
            .unwrap(),
        moved(1, false)
    );
    assert_eq!(
        statuses(&store, task).await,
        ["done", "ready", "done", "pending"]
    );
    let a = claim_one(&store).await;
    assert_eq!(
        store
            .finish_step(a.step.id, a.token, &done())
            .await
            .unwrap(),
        moved(1, false)
    );
    let site = claim_one(&store).await;
    assert_eq!(site.step.stage, 2);
    assert_eq!(
        store
            .finish_step(site.step.id, site.token, &done())
            .await
            .unwrap(),
        moved(0, true)
    );
    let tree = store.tree(task).await.unwrap();
    assert_eq!(
        (tree.task.status, tree.task.verdict),
        (TaskStatus::Complete, None)
    );
    for step in tree.steps {
        assert_eq!((step.status.as_str(), step.holder), ("done", None));
        assert_eq!(step.messages, [message("done")]);
        assert!(step.ended.unwrap() > step.started.unwrap());
    }
}

pub async fn a_failure_skips_the_rest_of_its_pipeline_only(place: Place) {
    let store = place.open().await;
    let leader = lead(&store).await;
    let shape = plan([
        vec![pipeline(Some("a"), 3), pipeline(Some("b"), 2)],
        nodes(&["c"]),
    ]);
    let task = planned(&store, leader, &shape).await;
    let claims = store.claim_steps(instance(), 9).await.unwrap();
    let [a, b] = &claims[..] else {
        panic!("{claims:?}")
    };
    assert_eq!(
        store
            .finish_step(a.step.id, a.token, &failed())
            .await
            .unwrap(),
        moved(0, false)
    );
    let expected = [
        "failed", "skipped", "skipped", "running", "pending", "pending",
    ];
    assert_eq!(statuses(&store, task).await, expected);
    assert_eq!(
        store
            .finish_step(b.step.id, b.token, &done())
            .await
            .unwrap(),
        moved(1, false)
    );
    let b = claim_one(&store).await;
    // The stage has ended with a node's failure: the next begins all the same.
    assert_eq!(
        store
            .finish_step(b.step.id, b.token, &failed())
            .await
            .unwrap(),
        moved(1, false)
    );
    let c = claim_one(&store).await;
    assert_eq!(
        store
            .finish_step(c.step.id, c.token, &done())
            .await
            .unwrap(),
        moved(0, true)
    );
    assert_eq!(
        store.tree(task).await.unwrap().task.status,
        TaskStatus::Complete
    );
}

pub async fn a_failed_site_step_stops_the_later_stages(place: Place) {
    let store = place.open().await;
    let leader = lead(&store).await;
    let shape = plan([
        vec![pipeline(None, 2), pipeline(Some("a"), 1)],
        nodes(&["b", "c"]),
        vec![pipeline(None, 1)],
    ]);
    let task = planned(&store, leader, &shape).await;
    let claims = store.claim_steps(instance(), 9).await.unwrap();
    let [site, a] = &claims[..] else {
        panic!("{claims:?}")
    };
    let first = store
        .finish_step(site.step.id, site.token, &failed())
        .await
        .unwrap();
    assert_eq!(first, moved(0, false));
    // What runs in the same stage goes on to its end.
    assert_eq!(
        store
            .finish_step(a.step.id, a.token, &done())
            .await
            .unwrap(),
        moved(0, true)
    );
    let expected = ["failed", "skipped", "done", "skipped", "skipped", "skipped"];
    assert_eq!(statuses(&store, task).await, expected);
    let tree = store.tree(task).await.unwrap();
    assert_eq!(tree.task.status, TaskStatus::Complete);
    assert!(tree.steps.iter().all(|step| step.ended.is_some()));
}

pub async fn two_last_ends_at_once_open_the_next_stage(place: Place) {
    let stores = [place.open().await, place.open().await];
    let leader = lead(&stores[0]).await;
    for _ in 0..20 {
        let shape = plan([nodes(&["a", "b"]), nodes(&["c", "d", "e"])]);
        let task = planned(&stores[0], leader, &shape).await;
        for ready in [3, 0] {
            let claims = stores[0].claim_steps(instance(), 9).await.unwrap();
            let ends: Vec<_> = (claims.into_iter().enumerate())
                .map(|(number, claim)| {
                    let store = stores[number % 2].clone();
                    tokio::spawn(async move {
                        store
                            .finish_step(claim.step.id, claim.token, &done())
                            .await
                            .unwrap()
                    })
                })
                .collect();
            let mut sum = moved(0, false);
            for end in ends {
                let end = end.await.unwrap();
                assert!(!(sum.task_ended && end.task_ended), "ended twice");
                sum = moved(sum.ready + end.ready, sum.task_ended || end.task_ended);
            }
            assert_eq!(sum, moved(ready, ready == 0));
        }
        let status = stores[1].tree(task).await.unwrap().task.status;
        assert_eq!(status, TaskStatus::Complete);
    }
}
