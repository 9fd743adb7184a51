//! The registry of endpoints: each is asked here once, so that a new one without a test fails.

use std::collections::BTreeSet;

use drydock_api::endpoints;

use crate::provisioner::Provisioner;
use crate::server::{Server, Setup};

/// What the samples need: ids, and a boot action nobody knows.
struct World {
    design: String,
    task: String,
}

/// Method, path of the registry, path asked, body, status.
type Sample = (&'static str, &'static str, String, String, u16);

fn samples(world: &World) -> Vec<Sample> {
    let World { design, task } = world;
    let create = format!("{{\"action\": \"noop\", \"design_ref\": \"design:{design}\"}}");
    let rack = "{\"apiVersion\": \"drydock/v1\", \"kind\": \"Rack\", \"metadata\": {\"name\": \"r7\"}, \"spec\": {}}";
    let of_design = |rest: &str| format!("/api/v1.0/designs/{design}{rest}");
    let of_task = |rest: &str| format!("/api/v1.0/tasks/{task}{rest}");
    let own = |path: &str| path.to_owned();
    let none = String::new;
    vec![
        ("GET", "/versions", own("/versions"), none(), 200),
        (
            "GET",
            "/api/v1.0/health",
            own("/api/v1.0/health"),
            none(),
            204,
        ),
        (
            "GET",
            "/api/v1.0/health/extended",
            own("/api/v1.0/health/extended"),
            none(),
            200,
        ),
        ("GET", "/metrics", own("/metrics"), none(), 200),
        (
            "GET",
            "/api/v1.0/metrics",
            own("/api/v1.0/metrics"),
            none(),
            200,
        ),
        (
            "GET",
            "/api/v1.0/designs",
            own("/api/v1.0/designs"),
            none(),
            200,
        ),
        (
            "POST",
            "/api/v1.0/designs",
            own("/api/v1.0/designs"),
            none(),
            201,
        ),
        ("GET", "/api/v1.0/designs/{id}", of_design(""), none(), 200),
        (
            "GET",
            "/api/v1.0/designs/{id}/parts",
            of_design("/parts"),
            none(),
            200,
        ),
        (
            "POST",
            "/api/v1.0/designs/{id}/parts",
            of_design("/parts?ingester=yaml"),
            rack.to_owned(),
            201,
        ),
        (
            "GET",
            "/api/v1.0/designs/{id}/parts/{kind}",
            of_design("/parts/Rack"),
            none(),
            200,
        ),
        (
            "GET",
            "/api/v1.0/designs/{id}/parts/{kind}/{name}",
            of_design("/parts/Rack/r1"),
            none(),
            200,
        ),
        (
            "PUT",
            "/api/v1.0/designs/{id}/parts/{kind}/{name}",
            of_design("/parts/Rack/r7"),
            rack.to_owned(),
            200,
        ),
        (
            "DELETE",
            "/api/v1.0/designs/{id}/parts/{kind}/{name}",
            of_design("/parts/Rack/r7"),
            none(),
            204,
        ),
        (
            "GET",
            "/api/v1.0/tasks",
            own("/api/v1.0/tasks"),
            none(),
            200,
        ),
        (
            "POST",
            "/api/v1.0/tasks",
            own("/api/v1.0/tasks"),
            create,
            201,
        ),
        (
            "DELETE",
            "/api/v1.0/tasks",
            own("/api/v1.0/tasks"),
            none(),
            200,
        ),
        ("GET", "/api/v1.0/tasks/{id}", of_task(""), none(), 200),
        (
            "GET",
            "/api/v1.0/tasks/{id}/journal",
            of_task("/journal"),
            none(),
            200,
        ),
        // No dry run.
        (
            "GET",
            "/api/v1.0/tasks/{id}/plan",
            of_task("/plan"),
            none(),
            409,
        ),
        (
            "GET",
            "/api/v1.0/tasks/{id}/builddata",
            of_task("/builddata"),
            none(),
            404,
        ),
        (
            "POST",
            "/api/v1.0/tasks/{id}/confirm",
            of_task("/confirm"),
            r#"{"node": "n1", "done": true}"#.to_owned(),
            404,
        ),
        (
            "POST",
            "/api/v1.0/tasks/{id}/terminate",
            of_task("/terminate"),
            none(),
            202,
        ),
        // Its stream has an end because the task has one.
        (
            "GET",
            "/api/v1.0/tasks/{id}/events",
            of_task("/events"),
            none(),
            200,
        ),
        (
            "POST",
            "/api/v1.0/tasks/{id}/retry",
            of_task("/retry"),
            none(),
            201,
        ),
        (
            "GET",
            "/api/v1.0/nodes",
            own("/api/v1.0/nodes"),
            none(),
            200,
        ),
        (
            "GET",
            "/api/v1.0/nodes/{name}",
            own("/api/v1.0/nodes/n1"),
            none(),
            200,
        ),
        (
            "GET",
            "/api/v1.0/nodes/{name}/history",
            own("/api/v1.0/nodes/n1/history"),
            none(),
            404,
        ),
        (
            "GET",
            "/api/v1.0/nodes/{name}/builddata",
            own("/api/v1.0/nodes/n1/builddata"),
            none(),
            200,
        ),
        (
            "POST",
            "/api/v1.0/nodefilter",
            own("/api/v1.0/nodefilter"),
            format!("{{\"design_ref\": \"design:{design}\"}}"),
            200,
        ),
        (
            "POST",
            "/api/v1.0/validatedesign",
            own("/api/v1.0/validatedesign"),
            format!("{{\"href\": \"design:{design}\"}}"),
            200,
        ),
        // A machine's own; without a key nobody gets in.
        (
            "GET",
            "/api/v1.0/bootactions/nodes/{name}",
            own("/api/v1.0/bootactions/nodes/n1"),
            none(),
            401,
        ),
        (
            "GET",
            "/api/v1.0/bootactions/nodes/{name}/units",
            own("/api/v1.0/bootactions/nodes/n1/units"),
            none(),
            401,
        ),
        (
            "GET",
            "/api/v1.0/bootactions/nodes/{name}/files",
            own("/api/v1.0/bootactions/nodes/n1/files"),
            none(),
            401,
        ),
        (
            "GET",
            "/api/v1.0/bootactions/nodes/{name}/pkg_list",
            own("/api/v1.0/bootactions/nodes/n1/pkg_list"),
            none(),
            401,
        ),
        (
            "POST",
            "/api/v1.0/bootactions/{ulid}",
            own("/api/v1.0/bootactions/01ARZ3NDEKTSV4RRFFQ69G5FAV"),
            none(),
            401,
        ),
        // The last: what the others were about.
        (
            "DELETE",
            "/api/v1.0/designs/{id}",
            of_design(""),
            none(),
            409,
        ),
    ]
}

#[tokio::test]
async fn every_endpoint_is_asked() {
    let server = Server::with(Setup {
        engine: false,
        provisioner: Some(Provisioner::new(&["n1"])),
        ..Setup::default()
    })
    .await;
    let design = server.site().await;
    let task = server.task("noop", &design, &[]).await;
    let samples = samples(&World { design, task });
    let asked: BTreeSet<_> = samples.iter().map(|sample| (sample.0, sample.1)).collect();
    let registered: BTreeSet<_> = endpoints().iter().map(|it| (it.method, it.path)).collect();
    assert_eq!(
        asked, registered,
        "a new endpoint needs a sample here, and tests of its own"
    );
    assert_eq!(
        endpoints().len(),
        registered.len(),
        "an endpoint stands in the registry twice"
    );
    for (method, pattern, path, body, status) in samples {
        let path = format!("/{path}");
        let answer = server.client.send(method, &path, &[], body).await;
        assert_eq!(
            answer.status.as_u16(),
            status,
            "{method} {pattern}: {}",
            answer.text()
        );
    }
}

#[test]
fn every_endpoint_names_what_guards_it() {
    for endpoint in endpoints() {
        let known = ["open", "boot-key"].contains(&endpoint.policy)
            || endpoint.policy.starts_with("physical_provisioner:");
        assert!(known, "{endpoint:?}");
        let machine = endpoint.path.contains("/bootactions/");
        assert_eq!(machine, endpoint.policy == "boot-key", "{endpoint:?}");
    }
}
