//! Opening a store: together, again, and too late.

use drydock_model::store::StoreError;

use crate::place::{Place, claim_one, lead, new_task, nodes, plan, planned};

pub async fn ten_servers_open_a_fresh_database_at_once(place: Place) {
    let servers: Vec<_> = (0..10)
        .map(|_| {
            let place = place.clone();
            tokio::spawn(async move {
                let store = place.open().await;
                store.create_task(&new_task(0)).await.unwrap();
                store
            })
        })
        .collect();
    let mut stores = vec![];
    for server in servers {
        stores.push(server.await.unwrap());
    }
    assert_eq!(stores[0].queued(100).await.unwrap().len(), 10);
}

pub async fn a_newer_schema_is_refused(place: Place) {
    drop(place.open().await);
    place
        .execute(
            "INSERT INTO _sqlx_migrations
                 (version, description, installed_on, success, checksum, execution_time)
             VALUES (999, 'of tomorrow', CURRENT_TIMESTAMP, TRUE, 'x', 0)",
        )
        .await;
    let Err(StoreError::Conflict(text)) = place.try_open().await.map(drop) else {
        panic!("must be refused");
    };
    assert!(text.contains("999") && text.contains("newer"), "{text}");
}

pub async fn what_was_written_is_there_after_a_restart(place: Place) {
    let before = {
        let store = place.open().await;
        let leader = lead(&store).await;
        let task = planned(&store, leader, &plan([nodes(&["a"])])).await;
        claim_one(&store).await;
        store.tree(task).await.unwrap()
    };
    let store = place.open().await;
    assert_eq!(store.tree(before.task.id).await.unwrap(), before);
}

pub async fn it_answers_a_ping(place: Place) {
    let store = place.open().await;
    store.ping().await.unwrap();
}
