//! BMCs with Redfish through their HTTP door.

mod faults;
mod sushy;

use drydock_sim::{
    Accepted, BmcFaults, BmcKind, Call, Etags, Faults, MachineFaults, RedfishFaults, SiteShape,
    Transport,
};
use serde_json::{Value, json};

use super::site::{DEADLINE, Said, Site, broken, machine, within};

const SESSIONS: &str = "SessionService/Sessions";
const RESET: &str = "Systems/1/Actions/ComputerSystem.Reset";

/// A client of one service, by basic authentication unless it has a token.
struct Bmc {
    client: reqwest::Client,
    base: String,
    token: Option<String>,
}

async fn site(net: u8, transport: Transport, faults: Faults) -> Site {
    let mut machine = machine(net, 1);
    machine.bmc = BmcKind::Redfish(transport);
    let shape = SiteShape {
        machines: vec![machine],
        ..SiteShape::default()
    };
    Site::of(net, shape, faults).await
}

async fn plain(net: u8, faults: MachineFaults) -> (Site, Bmc) {
    let site = site(net, Transport::Http, broken(faults)).await;
    let bmc = Bmc::of(&site);
    (site, bmc)
}

fn redfish(redfish: RedfishFaults) -> MachineFaults {
    MachineFaults {
        redfish,
        ..MachineFaults::default()
    }
}

fn wire(bmc: BmcFaults) -> MachineFaults {
    MachineFaults {
        bmc,
        ..MachineFaults::default()
    }
}

impl Bmc {
    fn of(site: &Site) -> Bmc {
        let client = reqwest::Client::builder().no_proxy().timeout(DEADLINE);
        Bmc {
            client: client.build().unwrap(),
            base: site.world.redfish_url("n1").unwrap().to_owned(),
            token: None,
        }
    }

    fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let path = path.trim_start_matches("/redfish/v1/");
        let url = format!("{}/redfish/v1/{path}", self.base);
        let request = self.client.request(method.parse().unwrap(), url);
        match &self.token {
            Some(token) => request.header("X-Auth-Token", token),
            None => request.basic_auth("root", Some("calvin")),
        }
    }

    async fn ask(&self, request: reqwest::RequestBuilder) -> Said {
        let answer = request.send().await.unwrap();
        Said {
            status: answer.status().as_u16(),
            text: answer.text().await.unwrap(),
        }
    }

    async fn get(&self, path: &str) -> Value {
        self.ask(self.request("GET", path)).await.good()
    }

    async fn send(&self, method: &str, path: &str, body: Value) -> Said {
        self.ask(self.request(method, path).json(&body)).await
    }

    async fn reset(&self, kind: &str) -> u16 {
        let body = json!({"ResetType": kind});
        self.send("POST", RESET, body).await.status
    }

    async fn boot(&self, change: Value) -> Said {
        self.send("PATCH", "Systems/1", json!({"Boot": change}))
            .await
    }

    async fn seen_boot(&self) -> [String; 3] {
        let system = self.get("Systems/1").await;
        ["Target", "Enabled", "Mode"].map(|name| {
            let value = &system["Boot"][format!("BootSourceOverride{name}")];
            value.as_str().unwrap().to_owned()
        })
    }

    async fn power(&self) -> String {
        let system = self.get("Systems/1").await;
        system["PowerState"].as_str().unwrap().to_owned()
    }

    async fn becomes(&self, power: &str) {
        let reached = async {
            while self.power().await != power {
                tokio::task::yield_now().await;
            }
        };
        within(power, reached).await;
    }

    async fn log_in(&self, password: &str) -> Result<(String, String), u16> {
        let body = json!({"UserName": "root", "Password": password});
        let url = format!("{}/redfish/v1/{SESSIONS}", self.base);
        let answer = self.client.post(url).json(&body).send().await.unwrap();
        let header = |name: &str| {
            let value = answer.headers().get(name);
            value.map(|value| value.to_str().unwrap().to_owned())
        };
        match answer.status().as_u16() {
            201 => Ok((header("X-Auth-Token").unwrap(), header("Location").unwrap())),
            status => Err(status),
        }
    }
}

fn commands(site: &Site) -> Vec<String> {
    let entries = site.world.call_log().since(0);
    let bmc = entries.into_iter().filter_map(|entry| match entry.call {
        Call::Bmc { command, .. } => Some(command),
        _ => None,
    });
    bmc.collect()
}

#[tokio::test]
async fn every_resource_that_is_linked_is_there_and_is_what_it_says() {
    let faults = redfish(RedfishFaults {
        other_systems: 1,
        boot_on_settings: true,
        ..RedfishFaults::default()
    });
    let (_site, bmc) = plain(130, faults).await;
    let mut known = vec!["/redfish/v1/".to_owned()];
    let mut at = 0;
    while let Some(path) = known.get(at).cloned() {
        at += 1;
        let resource = bmc.get(&path).await;
        assert_eq!(resource["@odata.id"], path.as_str(), "{resource}");
        let members = resource["Members"].as_array();
        assert!(resource["Id"].is_string() || members.is_some(), "{path}");
        let mut links = Vec::new();
        linked(&resource, &mut links);
        for link in links {
            if !known.contains(&link) && !link.contains('#') {
                known.push(link);
            }
        }
    }
    for there in [
        "/redfish/v1/Systems/1",
        "/redfish/v1/Systems/1/Settings",
        "/redfish/v1/Systems/DPU1",
        "/redfish/v1/Systems/1/EthernetInterfaces/eno3",
        "/redfish/v1/Systems/1/LogServices/SEL/Entries/1",
        "/redfish/v1/Managers/1/VirtualMedia/Cd",
        "/redfish/v1/Chassis/1/Thermal",
        "/redfish/v1/Chassis/1/Power",
        "/redfish/v1/Chassis/1/Sensors/CPUTemp",
        "/redfish/v1/UpdateService/FirmwareInventory/BMC",
        "/redfish/v1/TaskService/Tasks",
        "/redfish/v1/SessionService/Sessions",
    ] {
        assert!(known.iter().any(|path| path == there), "{there}: {known:?}");
    }
}

fn linked(value: &Value, links: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(link)) = fields.get("@odata.id") {
                links.push(link.clone());
            }
            fields.values().for_each(|value| linked(value, links));
        }
        Value::Array(all) => all.iter().for_each(|value| linked(value, links)),
        _ => {}
    }
}

#[tokio::test]
async fn what_is_not_there_or_not_allowed_is_refused_in_the_protocols_words() {
    let (_site, bmc) = plain(131, MachineFaults::default()).await;
    for (method, path, status) in [
        ("GET", "Nothing", 404),
        ("GET", "Systems/2", 404),
        ("GET", "Systems/1/Settings", 404),
        ("PUT", "Systems/1", 405),
        ("DELETE", "Systems/1", 405),
        ("POST", "Chassis/1", 405),
        ("DELETE", "SessionService/Sessions/9", 404),
        ("PATCH", "Systems/1", 400),
        ("POST", RESET, 400),
    ] {
        let said = bmc.send(method, path, json!({"AssetTag": "x"})).await;
        assert_eq!(said.status, status, "{method} {path}: {said:?}");
        let info = &said.json()["error"]["@Message.ExtendedInfo"][0];
        assert!(info["MessageId"].is_string(), "{said:?}");
    }
    let open = bmc.client.get(format!("{}/redfish/v1/", bmc.base));
    assert_eq!(bmc.ask(open).await.status, 200);
    let closed = bmc.client.get(format!("{}/redfish/v1/Systems", bmc.base));
    assert_eq!(bmc.ask(closed).await.status, 401);
    for (path, allowed) in [("Systems/1", "GET, PATCH"), ("Chassis/1", "GET")] {
        let answer = bmc.request("GET", path).send().await.unwrap();
        assert_eq!(answer.headers()["Allow"], allowed, "{path}");
    }
    let broken = bmc.request("PATCH", "Systems/1").body("{");
    assert_eq!(bmc.ask(broken).await.status, 400);
    let outside = bmc.client.get(format!("{}/redfish/v10/Systems", bmc.base));
    assert_eq!(bmc.ask(outside).await.status, 404);
}

#[tokio::test]
async fn power_and_boot_override_work_the_machine() {
    let (site, bmc) = plain(132, MachineFaults::default()).await;
    assert_eq!(bmc.power().await, "Off");
    let pxe = json!({
        "BootSourceOverrideTarget": "Pxe",
        "BootSourceOverrideEnabled": "Continuous",
        "BootSourceOverrideMode": "UEFI",
    });
    assert_eq!(bmc.boot(pxe).await.status, 204);
    assert_eq!(bmc.seen_boot().await, ["Pxe", "Continuous", "UEFI"]);
    assert_eq!(
        site.world.machine_states()[0].boot_flags,
        [0xe0, 4, 0, 0, 0]
    );
    assert_eq!(bmc.reset("On").await, 204);
    bmc.becomes("On").await;
    assert_eq!(bmc.reset("ForceOff").await, 204);
    bmc.becomes("Off").await;
    for refused in ["PowerCycle", "ForceRestart"] {
        assert_eq!(bmc.reset(refused).await, 409, "{refused}");
    }
    assert_eq!(bmc.reset("PushPowerButton").await, 400);
    let done = commands(&site);
    assert_eq!(done[..3], ["set_boot", "power_on", "power_off"]);
}

#[tokio::test]
async fn sessions_are_few_end_and_are_counted() {
    let faults = redfish(RedfishFaults {
        session_slots: 2,
        session_ms: 400,
        basic_takes_slot: true,
        ..RedfishFaults::default()
    });
    let (site, mut bmc) = plain(133, faults).await;
    assert_eq!(bmc.log_in("wrong").await, Err(401));
    let (token, first) = bmc.log_in("calvin").await.unwrap();
    bmc.log_in("calvin").await.unwrap();
    assert_eq!(bmc.log_in("calvin").await, Err(503));
    let basic = bmc.ask(bmc.request("GET", "Systems")).await;
    assert_eq!(basic.status, 503, "{basic:?}");
    bmc.token = Some(token.clone());
    assert_eq!(bmc.get(SESSIONS).await["Members@odata.count"], 2);
    assert_eq!(bmc.send("DELETE", &first, Value::Null).await.status, 204);
    let gone = bmc.ask(bmc.request("GET", "Systems")).await;
    assert_eq!(
        gone.status, 401,
        "the token of a session that was logged out"
    );
    // The other one ends by itself, and then there is room for two again.
    let room = async {
        while bmc.log_in("calvin").await.is_err() {}
        while bmc.log_in("calvin").await.is_err() {}
    };
    within("idle sessions end", room).await;
    site.world
        .set_faults(broken(MachineFaults {
            bmc_wrong_password: true,
            ..MachineFaults::default()
        }))
        .unwrap();
    assert_eq!(bmc.log_in("calvin").await, Err(401));
    let taken = wire(BmcFaults {
        slots_taken: true,
        ..BmcFaults::default()
    });
    site.world.set_faults(broken(taken)).unwrap();
    assert_eq!(bmc.log_in("calvin").await, Err(503));
}

#[tokio::test]
async fn a_change_with_a_stale_tag_is_refused_and_some_want_a_tag() {
    let (site, bmc) = plain(134, MachineFaults::default()).await;
    let tag = bmc.get("Systems/1").await["@odata.etag"]
        .as_str()
        .unwrap()
        .to_owned();
    let once =
        json!({"Boot": {"BootSourceOverrideTarget": "Pxe", "BootSourceOverrideEnabled": "Once"}});
    let patch = |tag: &str| {
        let request = bmc.request("PATCH", "Systems/1").json(&once);
        bmc.ask(request.header("If-Match", tag))
    };
    assert_eq!(patch("\"0\"").await.status, 412);
    assert_eq!(patch(&tag).await.status, 204);
    assert_eq!(
        patch(&tag).await.status,
        412,
        "the tag is of before the change"
    );
    assert_eq!(patch("*").await.status, 204);
    let wants = redfish(RedfishFaults {
        etags: Etags::Required,
        ..RedfishFaults::default()
    });
    site.world.set_faults(broken(wants)).unwrap();
    assert_eq!(
        bmc.send("PATCH", "Systems/1", once.clone()).await.status,
        428
    );
    assert_eq!(patch("*").await.status, 204);
}

#[tokio::test]
async fn accepted_tasks_are_followed_to_their_end() {
    let slow = RedfishFaults {
        accepted: Accepted::Task,
        task_ms: 150,
        ..RedfishFaults::default()
    };
    let (site, bmc) = plain(135, redfish(slow)).await;
    let pxe = json!({"BootSourceOverrideTarget": "Pxe", "BootSourceOverrideEnabled": "Once"});
    let ends = async |pxe: &Value| {
        let request = bmc.request("PATCH", "Systems/1");
        let answer = request.json(&json!({"Boot": pxe})).send().await.unwrap();
        assert_eq!(answer.status(), 202);
        let monitor = answer.headers()["Location"].to_str().unwrap().to_owned();
        let task: Value = answer.json().await.unwrap();
        assert_eq!(task["TaskState"], "Running");
        assert_eq!(bmc.seen_boot().await[0], "None", "it is not done yet");
        let ended = async {
            loop {
                let said = bmc.ask(bmc.request("GET", &monitor)).await;
                if said.status != 202 {
                    return said.status;
                }
            }
        };
        let status = within("the task ends", ended).await;
        let task = bmc.get(task["@odata.id"].as_str().unwrap()).await;
        (status, task["TaskState"].as_str().unwrap().to_owned())
    };
    let failing = RedfishFaults {
        tasks_fail: true,
        ..slow
    };
    site.world.set_faults(broken(redfish(failing))).unwrap();
    assert_eq!(ends(&pxe).await, (400, "Exception".to_owned()));
    assert_eq!(bmc.seen_boot().await[0], "None");
    site.world.set_faults(broken(redfish(slow))).unwrap();
    assert_eq!(ends(&pxe).await, (204, "Completed".to_owned()));
    assert_eq!(bmc.seen_boot().await[0], "Pxe");
}

#[tokio::test]
async fn media_are_inserted_and_ejected_once() {
    let (site, bmc) = plain(136, MachineFaults::default()).await;
    let drive = "Managers/1/VirtualMedia/Cd";
    let insert = format!("{drive}/Actions/VirtualMedia.InsertMedia");
    let eject = format!("{drive}/Actions/VirtualMedia.EjectMedia");
    let image = json!({"Image": "http://127.0.0.1/boot.iso"});
    assert_eq!(bmc.send("POST", &insert, json!({})).await.status, 400);
    assert_eq!(bmc.send("POST", &insert, image.clone()).await.status, 204);
    assert_eq!(bmc.send("POST", &insert, image.clone()).await.status, 409);
    assert_eq!(bmc.get(drive).await["ImageName"], "boot.iso");
    assert_eq!(bmc.send("POST", &eject, json!({})).await.status, 204);
    assert_eq!(bmc.get(drive).await["Inserted"], false);
    assert_eq!(commands(&site), ["insert_media", "eject_media"]);
    let by_patch = redfish(RedfishFaults {
        media_by_patch: true,
        ..RedfishFaults::default()
    });
    site.world.set_faults(broken(by_patch)).unwrap();
    assert_eq!(bmc.send("POST", &insert, image.clone()).await.status, 404);
    assert_eq!(bmc.send("PATCH", drive, image).await.status, 400);
    let whole = json!({"Image": "http://127.0.0.1/boot.iso", "Inserted": true});
    assert_eq!(bmc.send("PATCH", drive, whole).await.status, 200);
    assert_eq!(bmc.get(drive).await["Inserted"], true);
}

#[tokio::test]
async fn certificates_are_as_bmcs_have_them() {
    let site = site(143, Transport::SelfSigned, Faults::default()).await;
    let url = format!("{}/redfish/v1/", site.world.redfish_url("n1").unwrap());
    assert!(url.starts_with("https://127.143.0.1:"), "{url}");
    let client = || reqwest::Client::builder().no_proxy();
    let strict = client().build().unwrap();
    assert!(strict.get(&url).send().await.is_err(), "nobody knows it");
    let der = site.world.redfish_certificate("n1").unwrap();
    let own = reqwest::Certificate::from_der(der).unwrap();
    let trusting = client().tls_certs_only([own]).build().unwrap();
    let refusal = trusting.get(&url).send().await.unwrap_err();
    let why = format!("{refusal:?}");
    assert!(why.contains("CaUsedAsEndEntity"), "{why}");
    let careless = client().tls_danger_accept_invalid_certs(true).build();
    let answer = careless.unwrap().get(&url).send().await.unwrap();
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn an_issued_certificate_holds_for_the_address_of_its_bmc() {
    let site = site(144, Transport::Issued, Faults::default()).await;
    let url = format!("{}/redfish/v1/", site.world.redfish_url("n1").unwrap());
    let ca = reqwest::Certificate::from_pem(site.world.redfish_ca().as_bytes()).unwrap();
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([ca]);
    let answer = client.build().unwrap().get(&url).send().await.unwrap();
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn alarms_show_in_every_place_that_has_them() {
    let (_site, bmc) = plain(
        145,
        wire(BmcFaults {
            sensor_alarm: true,
            ..BmcFaults::default()
        }),
    )
    .await;
    let power = bmc.get("Chassis/1/Power").await;
    assert_eq!(power["PowerSupplies"][1]["Status"]["Health"], "Critical");
    let log = bmc.get("Systems/1/LogServices/SEL/Entries").await;
    assert_eq!(log["Members"][1]["Severity"], "Critical");
    let system = bmc.get("Systems/1").await;
    assert_eq!(system["Status"]["HealthRollup"], "Critical");
}
