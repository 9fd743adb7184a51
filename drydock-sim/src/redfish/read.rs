//! What a GET is answered with.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde::Serialize;
use serde_json::{Value, json};

use super::answer::Reply;
use super::quirks::Ways;
use super::session::SESSIONS;
use super::{Service, State, tasks};
use crate::faults::Etags;

/// A reference to another resource.
#[derive(Debug, Serialize)]
pub(super) struct Link(#[serde(serialize_with = "as_link")] pub(super) String);

fn as_link<S: serde::Serializer>(path: &str, serializer: S) -> Result<S::Ok, S::Error> {
    json!({"@odata.id": path}).serialize(serializer)
}

/// A collection of resources.
pub(super) fn collection(path: &str, kind: &str, members: Vec<Link>) -> Value {
    json!({
        "@odata.id": path,
        "@odata.type": format!("#{kind}.{kind}"),
        "Name": kind,
        "Members@odata.count": members.len(),
        "Members": members,
    })
}

/// A resource with its entity tag, where there are such.
pub(super) fn etag(mut value: Value, ways: &Ways) -> Value {
    if ways.is.etags != Etags::None {
        let mut hasher = DefaultHasher::new();
        value.to_string().hash(&mut hasher);
        value["@odata.etag"] = json!(format!("\"{:016x}\"", hasher.finish()));
    }
    value
}

/// `/redfish`.
pub(super) fn versions() -> Reply {
    Reply::resource(json!({"v1": "/redfish/v1/"}))
}

impl Service {
    /// The resource there; none if there is none.
    pub(super) fn read(&self, path: &[&str], state: &State) -> Option<Reply> {
        if let ["TaskService", "Tasks", id] = path {
            return tasks::shown(id, state);
        }
        if let ["TaskService", "TaskMonitors", id] = path {
            return tasks::monitored(id, state);
        }
        let value = self.resource(path, state)?;
        let tag = value
            .get("@odata.etag")
            .and_then(Value::as_str)
            .map(str::to_owned);
        let reply = Reply::resource(value).with("Allow", self.allowed(path));
        Some(match tag {
            Some(tag) => reply.with("ETag", tag),
            None => reply,
        })
    }

    /// The methods that a resource takes (DSP0266, response header `Allow`).
    pub(super) fn allowed(&self, path: &[&str]) -> &'static str {
        let ways = self.ways();
        match path {
            ["Systems", id] if *id == ways.row.system && ways.is.boot_on_settings => "GET",
            ["Systems", _] | ["Systems", _, "Settings"] => "GET, PATCH",
            ["Managers", _, "VirtualMedia", _] if ways.is.media_by_patch => "GET, PATCH",
            ["SessionService", "Sessions"] => "GET, POST",
            ["SessionService", "Sessions", _] => "GET, DELETE",
            _ => "GET",
        }
    }

    /// The resource there, as it would be shown.
    pub(super) fn resource(&self, path: &[&str], state: &State) -> Option<Value> {
        let ways = self.ways();
        let row = ways.row;
        match path {
            [] => Some(self.root()),
            ["odata"] => Some(self.odata()),
            ["SessionService", rest @ ..] if !ways.is.no_sessions => {
                self.session_service(rest, state)
            }
            ["Systems"] => Some(self.systems()),
            ["Systems", id] if self.others().iter().any(|other| other == id) => {
                Some(self.other_system(id))
            }
            ["Systems", id, rest @ ..] if *id == row.system => match rest {
                [] => Some(self.system()),
                ["Settings"] => self.settings(),
                ["EthernetInterfaces", rest @ ..] => self.cards(rest),
                ["LogServices", rest @ ..] => self.logs(rest),
                _ => None,
            },
            ["Managers"] => Some(collection(
                "/redfish/v1/Managers",
                "ManagerCollection",
                vec![Link(format!("/redfish/v1/Managers/{}", row.manager))],
            )),
            ["Managers", id, rest @ ..] if *id == row.manager => match rest {
                [] => Some(self.manager()),
                ["VirtualMedia"] => Some(collection(
                    &format!("/redfish/v1/Managers/{id}/VirtualMedia"),
                    "VirtualMediaCollection",
                    self.drives(),
                )),
                ["VirtualMedia", super::media::DRIVE] => Some(self.drive(state)),
                _ => None,
            },
            ["Chassis"] => Some(collection(
                "/redfish/v1/Chassis",
                "ChassisCollection",
                vec![Link(format!("/redfish/v1/Chassis/{}", row.chassis))],
            )),
            ["Chassis", id, rest @ ..] if *id == row.chassis => self.chassis(rest),
            ["UpdateService", rest @ ..] => self.firmware(rest),
            ["TaskService", rest @ ..] => task_service(rest, state),
            _ => None,
        }
    }

    fn root(&self) -> Value {
        let ways = self.ways();
        let below = |name: &str| Link(format!("/redfish/v1/{name}"));
        let mut root = json!({
            "@odata.id": "/redfish/v1/",
            "@odata.type": "#ServiceRoot.v1_17_0.ServiceRoot",
            "Id": "RootService",
            "Name": "Root Service",
            "RedfishVersion": "1.18.0",
            "UUID": self.uuid("service"),
            "Vendor": ways.row.maker,
            "Product": ways.row.product,
            "ProtocolFeaturesSupported": {
                "ExcerptQuery": false,
                "FilterQuery": false,
                "OnlyMemberQuery": false,
                "SelectQuery": false,
                "ExpandQuery": {"ExpandAll": false, "Levels": false, "Links": false, "NoLinks": false},
            },
            "Systems": below("Systems"),
            "Managers": below("Managers"),
            "Chassis": below("Chassis"),
            "UpdateService": below("UpdateService"),
            "Tasks": below("TaskService"),
            "Links": {},
        });
        if !ways.is.no_sessions {
            root["SessionService"] = json!(below("SessionService"));
            root["Links"] = json!({"Sessions": Link(SESSIONS.to_owned())});
        }
        if ways.is.no_root_links
            && let Some(fields) = root.as_object_mut()
        {
            fields.remove("Links");
        }
        root
    }

    fn odata(&self) -> Value {
        let part = |name: &str, url: &str| json!({"name": name, "kind": "Singleton", "url": url});
        json!({
            "@odata.context": "/redfish/v1/$metadata",
            "value": [
                part("Service", "/redfish/v1/"),
                part("Systems", "/redfish/v1/Systems"),
                part("Managers", "/redfish/v1/Managers"),
                part("Chassis", "/redfish/v1/Chassis"),
            ],
        })
    }

    fn systems(&self) -> Value {
        let others = self.others().into_iter();
        let ids = others.chain([self.ways().row.system.to_owned()]);
        let members = ids.map(|id| Link(format!("/redfish/v1/Systems/{id}")));
        collection(
            "/redfish/v1/Systems",
            "ComputerSystemCollection",
            members.collect(),
        )
    }

    fn session_service(&self, path: &[&str], state: &State) -> Option<Value> {
        match path {
            [] => Some(json!({
                "@odata.id": "/redfish/v1/SessionService",
                "@odata.type": "#SessionService.v1_1_9.SessionService",
                "Id": "SessionService",
                "Name": "Session Service",
                "ServiceEnabled": true,
                "SessionTimeout": self.ways().session_life().as_secs().max(30),
                "Sessions": Link(SESSIONS.to_owned()),
            })),
            ["Sessions"] => Some(collection(
                SESSIONS,
                "SessionCollection",
                state
                    .sessions
                    .ids()
                    .into_iter()
                    .map(|id| Link(format!("{SESSIONS}/{id}")))
                    .collect(),
            )),
            ["Sessions", id] => {
                let id: u64 = id.parse().ok()?;
                state.sessions.ids().contains(&id).then(|| self.session(id))
            }
            _ => None,
        }
    }
}

fn task_service(path: &[&str], state: &State) -> Option<Value> {
    let base = "/redfish/v1/TaskService";
    match path {
        [] => Some(json!({
            "@odata.id": base,
            "@odata.type": "#TaskService.v1_2_1.TaskService",
            "Id": "TaskService",
            "Name": "Task Service",
            "ServiceEnabled": true,
            "Tasks": Link(format!("{base}/Tasks")),
        })),
        ["Tasks"] => Some(collection(
            &format!("{base}/Tasks"),
            "TaskCollection",
            state
                .tasks
                .ids()
                .into_iter()
                .map(|id| Link(format!("{base}/Tasks/{id}")))
                .collect(),
        )),
        _ => None,
    }
}
