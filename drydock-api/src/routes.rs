//! The registry of endpoints: each stands here once, with its method, its handler and the policy action that guards it.

mod bootactions;
mod builddata;
mod designs;
mod health;
mod metrics;
mod nodes;
mod parts;
mod revision;
mod tasks;
mod validation;

use std::future::ready;

use actix_web::http::Method;
use actix_web::http::header::ALLOW;
use actix_web::{HttpRequest, HttpResponse, Route, guard, web};

use crate::error::ApiError;

/// One method of one path.
struct Entry {
    method: &'static str,
    route: fn() -> Route,
    policy: &'static str,
}

/// One path with its methods.
struct Path {
    path: &'static str,
    entries: &'static [Entry],
}

/// An endpoint as others may look at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// HTTP method.
    pub method: &'static str,
    /// Path with `{placeholders}`.
    pub path: &'static str,
    /// The policy action that guards it; `open` and `boot-key` are guarded by nothing and by a deployment's own key.
    pub policy: &'static str,
}

const fn entry(method: &'static str, route: fn() -> Route, policy: &'static str) -> Entry {
    Entry {
        method,
        route,
        policy,
    }
}

const READ: &str = "physical_provisioner:read_data";
const INGEST: &str = "physical_provisioner:ingest_data";
const READ_TASK: &str = "physical_provisioner:read_task";
const READ_BUILD_DATA: &str = "physical_provisioner:read_build_data";
const OPEN: &str = "open";
const BOOT_KEY: &str = "boot-key";

const TABLE: &[Path] = &[
    Path {
        path: "/versions",
        entries: &[entry("GET", || web::to(health::versions), OPEN)],
    },
    Path {
        path: "/api/v1.0/health",
        entries: &[entry("GET", || web::to(health::health), OPEN)],
    },
    Path {
        path: "/api/v1.0/health/extended",
        entries: &[entry(
            "GET",
            || web::to(health::extended),
            "physical_provisioner:health_data",
        )],
    },
    Path {
        path: "/metrics",
        entries: &[entry("GET", || web::to(metrics::show), OPEN)],
    },
    Path {
        path: "/api/v1.0/metrics",
        entries: &[entry("GET", || web::to(metrics::show), OPEN)],
    },
    Path {
        path: "/api/v1.0/designs",
        entries: &[
            entry("GET", || web::to(designs::list), READ),
            entry("POST", || web::to(designs::create), INGEST),
        ],
    },
    Path {
        path: "/api/v1.0/designs/{id}",
        entries: &[
            entry("GET", || web::to(designs::show), READ),
            entry("DELETE", || web::to(designs::delete), INGEST),
        ],
    },
    Path {
        path: "/api/v1.0/designs/{id}/parts",
        entries: &[
            entry("GET", || web::to(parts::list), READ),
            entry("POST", || web::to(parts::upload), INGEST),
        ],
    },
    Path {
        path: "/api/v1.0/designs/{id}/parts/{kind}",
        entries: &[entry("GET", || web::to(parts::of_kind), READ)],
    },
    Path {
        path: "/api/v1.0/designs/{id}/parts/{kind}/{name}",
        entries: &[
            entry("GET", || web::to(parts::show), READ),
            entry("PUT", || web::to(parts::replace), INGEST),
            entry("DELETE", || web::to(parts::delete), INGEST),
        ],
    },
    Path {
        path: "/api/v1.0/tasks",
        entries: &[
            entry("GET", || web::to(tasks::list), READ_TASK),
            entry(
                "POST",
                || web::to(tasks::create),
                "physical_provisioner:create_task",
            ),
            entry(
                "DELETE",
                || web::to(tasks::purge),
                "physical_provisioner:delete_tasks",
            ),
        ],
    },
    Path {
        path: "/api/v1.0/tasks/{id}",
        entries: &[entry("GET", || web::to(tasks::show), READ_TASK)],
    },
    Path {
        path: "/api/v1.0/tasks/{id}/events",
        entries: &[entry("GET", || web::to(tasks::events::events), READ_TASK)],
    },
    Path {
        path: "/api/v1.0/tasks/{id}/journal",
        entries: &[entry("GET", || web::to(tasks::journal), READ_TASK)],
    },
    Path {
        path: "/api/v1.0/tasks/{id}/plan",
        entries: &[entry("GET", || web::to(tasks::plan::show), READ_TASK)],
    },
    Path {
        path: "/api/v1.0/tasks/{id}/builddata",
        entries: &[entry(
            "GET",
            || web::to(builddata::of_task),
            READ_BUILD_DATA,
        )],
    },
    Path {
        path: "/api/v1.0/tasks/{id}/confirm",
        entries: &[entry(
            "POST",
            || web::to(tasks::confirm::confirm),
            "physical_provisioner:create_task",
        )],
    },
    Path {
        path: "/api/v1.0/tasks/{id}/terminate",
        entries: &[entry(
            "POST",
            || web::to(tasks::terminate),
            "physical_provisioner:terminate_task",
        )],
    },
    Path {
        path: "/api/v1.0/tasks/{id}/retry",
        entries: &[entry(
            "POST",
            || web::to(tasks::retry),
            "physical_provisioner:create_task",
        )],
    },
    Path {
        path: "/api/v1.0/nodes",
        entries: &[entry("GET", || web::to(nodes::list), READ)],
    },
    Path {
        path: "/api/v1.0/nodes/{name}",
        entries: &[entry("GET", || web::to(nodes::show), READ)],
    },
    Path {
        path: "/api/v1.0/nodes/{name}/history",
        entries: &[entry("GET", || web::to(nodes::history), READ)],
    },
    Path {
        path: "/api/v1.0/nodes/{name}/builddata",
        entries: &[entry(
            "GET",
            || web::to(builddata::of_node),
            READ_BUILD_DATA,
        )],
    },
    Path {
        path: "/api/v1.0/nodefilter",
        entries: &[entry("POST", || web::to(validation::node_filter), READ)],
    },
    Path {
        path: "/api/v1.0/validatedesign",
        entries: &[entry(
            "POST",
            || web::to(validation::validate),
            "physical_provisioner:validate_site_design",
        )],
    },
    Path {
        path: "/api/v1.0/bootactions/nodes/{name}",
        entries: &[entry("GET", || web::to(bootactions::entries), BOOT_KEY)],
    },
    Path {
        path: "/api/v1.0/bootactions/nodes/{name}/units",
        entries: &[entry("GET", || web::to(bootactions::units), BOOT_KEY)],
    },
    Path {
        path: "/api/v1.0/bootactions/nodes/{name}/files",
        entries: &[entry("GET", || web::to(bootactions::files), BOOT_KEY)],
    },
    Path {
        path: "/api/v1.0/bootactions/nodes/{name}/pkg_list",
        entries: &[entry("GET", || web::to(bootactions::packages), BOOT_KEY)],
    },
    Path {
        path: "/api/v1.0/bootactions/{ulid}",
        entries: &[entry("POST", || web::to(bootactions::report), BOOT_KEY)],
    },
];

/// All endpoints, for tests that walk the registry.
#[must_use]
pub fn endpoints() -> Vec<Endpoint> {
    TABLE
        .iter()
        .flat_map(|path| {
            path.entries.iter().map(|entry| Endpoint {
                method: entry.method,
                path: path.path,
                policy: entry.policy,
            })
        })
        .collect()
}

/// Puts the table into an application. What answers GET also answers HEAD; OPTIONS says what there is; a known path with any other
/// method is 405 with `Allow`.
pub(crate) fn configure(config: &mut web::ServiceConfig) {
    for path in TABLE {
        let mut resource = web::resource(path.path);
        let mut allowed = vec![];
        for entry in path.entries {
            resource = resource.route((entry.route)().guard(guard::fn_guard(|context| {
                let method = context.head().method.as_str();
                method == entry.method || (method == "HEAD" && entry.method == "GET")
            })));
            allowed.push(entry.method);
            if entry.method == "GET" {
                allowed.push("HEAD");
            }
        }
        allowed.push("OPTIONS");
        let allowed = allowed.join(", ");
        config.service(
            resource.default_service(web::to(move |request: HttpRequest| {
                ready(other_method(&request, &allowed))
            })),
        );
    }
}

fn other_method(request: &HttpRequest, allowed: &str) -> Result<HttpResponse, ApiError> {
    if request.method() == Method::OPTIONS {
        return Ok(HttpResponse::NoContent()
            .insert_header((ALLOW, allowed))
            .finish());
    }
    Err(ApiError::method_not_allowed(
        request.method().as_str(),
        allowed,
    ))
}

/// 404 for a path that nobody serves.
pub(crate) async fn unknown(request: HttpRequest) -> Result<&'static str, ApiError> {
    Err(ApiError::not_found(format!(
        "there is nothing at {}",
        request.path()
    )))
}
