//! Designs and pinned contents.

use drydock_model::design::Kind;
use drydock_model::finding::DocumentRef;
use drydock_model::id::{DesignId, Digest};
use drydock_model::ingest::{Format, Source};
use drydock_model::store::StoreError;
use uuid::Uuid;

use crate::place::{Place, new_task};

fn source(text: &str) -> Source {
    Source {
        name: format!("{text}.yaml").into(),
        format: Format::Auto,
        text: text.to_owned(),
        without: Vec::new(),
    }
}

fn id() -> DesignId {
    DesignId(Uuid::new_v4())
}

pub async fn sources_stand_in_the_order_of_their_upload(place: Place) {
    let store = place.open().await;
    let ids = [id(), id(), id()];
    for design in ids {
        let made = store.create_design(design, None).await.unwrap();
        assert!(made.sources.is_empty() && made.base.is_none());
    }
    assert_eq!(store.designs().await.unwrap(), ids);
    let mut revision = store.design(ids[0]).await.unwrap().revision;
    let mut sources = vec![];
    for text in ["c", "a", "b"] {
        sources.push(source(text));
        let next = store
            .replace_sources(ids[0], revision, &sources)
            .await
            .unwrap();
        assert!(next > revision);
        revision = next;
    }
    let design = store.design(ids[0]).await.unwrap();
    assert_eq!(design.sources, [source("c"), source("a"), source("b")]);
    assert_eq!(design.revision, revision);
    let again = store.create_design(ids[0], None).await;
    assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
    assert_eq!(store.design(id()).await, Err(StoreError::NotFound));
}

pub async fn a_change_against_an_old_revision_is_refused(place: Place) {
    let store = place.open().await;
    let design = store.create_design(id(), None).await.unwrap();
    store
        .replace_sources(design.id, design.revision, &[source("a")])
        .await
        .unwrap();
    let late = store
        .replace_sources(design.id, design.revision, &[source("b")])
        .await;
    assert!(matches!(late, Err(StoreError::Conflict(_))), "{late:?}");
    assert_eq!(
        store.design(design.id).await.unwrap().sources,
        [source("a")]
    );
    assert_eq!(
        store.replace_sources(id(), 0, &[source("a")]).await,
        Err(StoreError::NotFound)
    );
}

pub async fn of_concurrent_changes_one_wins(place: Place) {
    let store = place.open().await;
    let design = store.create_design(id(), None).await.unwrap();
    let attempts: Vec<_> = (0..8)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move {
                store
                    .replace_sources(design.id, design.revision, &[source(&number.to_string())])
                    .await
            })
        })
        .collect();
    let mut won = 0;
    for attempt in attempts {
        match attempt.await.unwrap() {
            Ok(_) => won += 1,
            Err(error) => assert!(matches!(error, StoreError::Conflict(_)), "{error:?}"),
        }
    }
    assert_eq!(won, 1);
    assert_eq!(store.design(design.id).await.unwrap().sources.len(), 1);
}

pub async fn a_copy_lives_without_its_base(place: Place) {
    let store = place.open().await;
    let base = store.create_design(id(), None).await.unwrap();
    let revision = store
        .replace_sources(base.id, base.revision, &[source("a")])
        .await
        .unwrap();
    let copy = store.create_design(id(), Some(base.id)).await.unwrap();
    assert_eq!(
        (copy.base, &copy.sources[..]),
        (Some(base.id), &[source("a")][..])
    );
    store
        .replace_sources(copy.id, copy.revision, &[source("a"), source("mine")])
        .await
        .unwrap();
    store
        .replace_sources(base.id, revision, &[source("a"), source("theirs")])
        .await
        .unwrap();
    store.delete_design(base.id).await.unwrap();
    assert_eq!(store.design(base.id).await, Err(StoreError::NotFound));
    let copy = store.design(copy.id).await.unwrap();
    assert_eq!(copy.sources, [source("a"), source("mine")]);
    assert_eq!(
        store.create_design(id(), Some(base.id)).await,
        Err(StoreError::NotFound)
    );
}

pub async fn a_design_in_use_is_not_deleted(place: Place) {
    let store = place.open().await;
    let design = store.create_design(id(), None).await.unwrap();
    let mut task = new_task(0);
    task.design_ref = format!("design:{}", design.id)
        .to_uppercase()
        .replace("DESIGN", "design");
    store.create_task(&task).await.unwrap();
    let refused = store.delete_design(design.id).await;
    let Err(StoreError::Conflict(text)) = refused else {
        panic!("{refused:?}")
    };
    assert!(text.contains(&task.id.to_string()), "{text}");
    assert_eq!(store.design(design.id).await.unwrap().id, design.id);
    store.terminate_task(task.id, "tester").await.unwrap();
    store.delete_design(design.id).await.unwrap();
    assert_eq!(
        store.delete_design(design.id).await,
        Err(StoreError::NotFound)
    );
}

pub async fn pinned_contents_stay(place: Place) {
    let store = place.open().await;
    let digest = Digest("cd".repeat(32));
    assert_eq!(store.pinned(&digest).await, Err(StoreError::NotFound));
    let long = Source {
        text: "x: y\n\u{0}ä".repeat(200_000),
        ..source("long")
    };
    let sources = [source("a"), long];
    store.pin(&digest, &sources).await.unwrap();
    store.pin(&digest, &sources).await.unwrap();
    assert_eq!(store.pinned(&digest).await.unwrap(), sources);
}

pub async fn sources_are_replaced_as_a_whole(place: Place) {
    let store = place.open().await;
    let design = store.create_design(id(), None).await.unwrap();
    let struck = Source {
        without: vec![DocumentRef {
            kind: Kind::Rack,
            name: "r1".to_owned(),
        }],
        ..source("a")
    };
    let mut revision = design.revision;
    for sources in [
        vec![source("a"), source("b"), source("c")],
        vec![struck, source("c"), source("d")],
        vec![source("d")],
        vec![],
        vec![source("e"), source("f")],
    ] {
        let next = store
            .replace_sources(design.id, revision, &sources)
            .await
            .unwrap();
        assert!(next > revision);
        revision = next;
        let now = store.design(design.id).await.unwrap();
        assert_eq!((now.sources, now.revision), (sources, revision));
    }
}
