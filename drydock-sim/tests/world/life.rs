//! A whole life of a machine: unknown, enlisted, commissioned, deployed, called back, erased.

use std::io::Write;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use drydock_ipmi::{BootDevice, BootMode, Control, Persistence};
use drydock_sim::{Call, CallBackState, Faults, MachineFaults, MachineState, Origin, Phase};
use serde_json::{Value, json};

use super::site::{Site, broken, within};

const ULID: &str = "01J9Z3K7W8Q5R6S7T8V9W0X1Y2";
const KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// What a small drydock server was asked.
#[derive(Default)]
struct Heard {
    calls: Vec<(String, String)>,
    report: Option<Value>,
    /// Answers 503 so many times first.
    broken: u32,
}

fn archive() -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(3);
    header.set_mode(0o600);
    tar.append_data(&mut header, "etc/motd", &b"hi\n"[..])
        .unwrap();
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(&tar.into_inner().unwrap()).unwrap();
    gz.finish().unwrap()
}

async fn answer(
    request: HttpRequest,
    body: web::Bytes,
    heard: web::Data<Mutex<Heard>>,
) -> HttpResponse {
    let mut heard = heard.lock().unwrap();
    let path = request.path().to_owned();
    heard
        .calls
        .push((request.method().to_string(), path.clone()));
    if heard.broken > 0 {
        heard.broken -= 1;
        return HttpResponse::ServiceUnavailable().finish();
    }
    if request
        .headers()
        .get("X-Bootaction-Key")
        .and_then(|key| key.to_str().ok())
        != Some(KEY)
    {
        return HttpResponse::Forbidden().finish();
    }
    if request.method() == actix_web::http::Method::POST {
        heard.report =
            Some(json!({"path": path, "body": serde_json::from_slice::<Value>(&body).unwrap()}));
        HttpResponse::Ok().json(json!({}))
    } else if path.ends_with("/units") || path.ends_with("/files") {
        HttpResponse::Ok().body(archive())
    } else {
        HttpResponse::Ok().json(json!([
            {"action_id": ULID, "name": "motd", "status": "incomplete"},
            {"action_id": "01J9Z3K7W8Q5R6S7T8V9W0X1Y3", "name": "quiet", "status": "unreported"},
        ]))
    }
}

/// A server a machine may call back, and its address.
fn drydock(heard: &Arc<Mutex<Heard>>) -> (String, tokio::task::JoinHandle<std::io::Result<()>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/api/v1.0/", listener.local_addr().unwrap());
    let heard = web::Data::from(Arc::clone(heard));
    let server = HttpServer::new(move || {
        App::new()
            .app_data(heard.clone())
            .default_service(web::to(answer))
    });
    let server = server
        .workers(1)
        .disable_signals()
        .listen(listener)
        .unwrap()
        .run();
    (url, tokio::spawn(server))
}

/// Waits until the call-back of `n1` has ended one way or the other.
async fn call_back_ended(site: &Site) -> MachineState {
    within("the call-back", async {
        loop {
            let state = site.world.machine_states().remove(0);
            if matches!(
                state.call_back,
                CallBackState::Done | CallBackState::GaveUp(_)
            ) {
                return state;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    })
    .await
}

/// A Ready machine called `node1` with a boot-action tag.
async fn ready_and_tagged(site: &Site) -> String {
    let id = site.enlist(1).await;
    site.maas
        .put(&format!("machines/{id}/"), &[("hostname", "node1")])
        .await
        .good();
    site.commission(&id, "Ready").await;
    let tag = format!("node1__baid__{KEY}");
    site.maas.post("tags/", &[("name", &tag)]).await.good();
    let added = site
        .maas
        .post(&format!("tags/{tag}/?op=update_nodes"), &[("add", &id)])
        .await;
    assert_eq!(added.good(), json!({"added": 1, "removed": 0}));
    id
}

#[tokio::test]
async fn from_bare_metal_to_call_back_and_back() {
    let site = Site::start(50, 1, Faults::default()).await;
    let heard = Arc::new(Mutex::new(Heard {
        broken: 2,
        ..Heard::default()
    }));
    let (url, _server) = drydock(&heard);
    let id = ready_and_tagged(&site).await;

    let node = site.node(&id).await;
    assert_eq!(node["hostname"], "node1");
    assert_eq!(node["boot_interface"]["mac_address"], "52:54:00:32:01:00");
    assert_eq!(node["cpu_count"], 16);
    let power = site
        .maas
        .get(&format!("machines/?op=power_parameters&id={id}"))
        .await
        .good();
    assert_eq!(power[&id]["power_address"], "127.50.0.1");

    site.deploy(&id, "Deployed").await;
    let node = site.node(&id).await;
    assert_eq!(
        (&node["status"], &node["osystem"], &node["distro_series"]),
        (&json!(6), &json!("ubuntu"), &json!("jammy"))
    );
    assert_eq!(node["owner"], "admin");
    // The machine is up before anybody told it whom to call: it waits.
    assert!(heard.lock().unwrap().calls.is_empty());
    site.world.set_callback_url(&url).unwrap();
    let state = call_back_ended(&site).await;
    assert_eq!(state.phase, Phase::Running);
    assert_eq!(state.files, ["etc/motd", "etc/motd"]);
    let report = heard.lock().unwrap().report.clone().unwrap();
    assert_eq!(report["path"], format!("/api/v1.0/bootactions/{ULID}/"));
    assert_eq!(report["body"]["status"], "Success");
    let posts = heard
        .lock()
        .unwrap()
        .calls
        .iter()
        .filter(|(method, _)| method == "POST")
        .count();
    assert_eq!(posts, 1, "the unreported action is left alone");

    let seq = site.world.call_log().last_seq();
    site.op(&id, "release", &[("erase", "true")]).await.good();
    site.node_enters_after(seq, "Ready").await;
    let state = site.world.machine_states().remove(0);
    assert_eq!((state.phase, state.installed), (Phase::Off, false));
    let node = site.node(&id).await;
    assert_eq!(node["owner"], Value::Null);
    assert_eq!(
        node["tag_names"].as_array().unwrap().len(),
        1,
        "tags outlive a release"
    );
    let passed: Vec<String> = site
        .world
        .call_log()
        .since(seq)
        .into_iter()
        .filter_map(|entry| match entry.call {
            Call::NodeStatus { to, .. } => Some(to),
            _ => None,
        })
        .collect();
    assert_eq!(passed, ["Disk erasing", "Releasing", "Ready"]);
    site.world.stop().await;
}

#[tokio::test]
async fn the_log_tells_the_hands_apart() {
    let site = Site::start(51, 1, Faults::default()).await;
    let id = site.enlist(1).await;
    site.commission(&id, "Ready").await;
    let entries = site.world.call_log().since(0);
    let hands: Vec<(Origin, String)> = entries
        .iter()
        .filter_map(|entry| match &entry.call {
            Call::Bmc {
                origin, command, ..
            } => Some((*origin, command.clone())),
            _ => None,
        })
        .collect();
    let expected = [
        (Origin::Bmc, "set_boot".to_owned()),
        (Origin::Bmc, "power_on".to_owned()),
        (Origin::Maas, "boot_network".to_owned()),
    ];
    assert_eq!(hands, expected);
    let commission = entries.iter().any(|entry| {
        matches!(&entry.call, Call::Maas { method, path, op, status: 200, in_flight: 1.., .. }
            if method == "POST" && path == &format!("machines/{id}/") && op.as_deref() == Some("commission"))
    });
    assert!(commission, "{entries:#?}");
}

#[tokio::test]
async fn the_bmc_shows_what_the_machine_does() {
    let site = Site::start(52, 1, Faults::default()).await;
    let mut session = site.session(1).await;
    assert!(!session.chassis_status().await.unwrap().power_on);
    assert!(
        session.chassis_control(Control::Cycle).await.is_err(),
        "no cycle while off"
    );
    session.chassis_control(Control::On).await.unwrap();
    within("power on", async {
        while !session.chassis_status().await.unwrap().power_on {}
    })
    .await;
    assert_eq!(site.world.machine_states()[0].phase, Phase::NothingToBoot);
    session
        .set_boot_device(BootDevice::Disk, BootMode::Uefi, Persistence::Persistent)
        .await
        .unwrap();
    assert_eq!(
        session.boot_options().await.unwrap().device,
        Some(BootDevice::Disk)
    );
    session.chassis_control(Control::SoftOff).await.unwrap();
    within("power off", async {
        while session.chassis_status().await.unwrap().power_on {}
    })
    .await;
    session.close().await.unwrap();
}

#[tokio::test]
async fn a_boot_action_that_fails_is_reported_as_failed() {
    let faults = MachineFaults {
        boot_action_fails: true,
        ..MachineFaults::default()
    };
    let site = Site::start(53, 1, broken(faults)).await;
    let heard = Arc::new(Mutex::new(Heard::default()));
    let (url, _server) = drydock(&heard);
    site.world.set_callback_url(&url).unwrap();
    let id = ready_and_tagged(&site).await;
    site.deploy(&id, "Deployed").await;
    call_back_ended(&site).await;
    let report = heard.lock().unwrap().report.clone().unwrap();
    assert_eq!(report["body"]["status"], "Failure");
    assert_eq!(report["body"]["details"][0]["error"], true);
}

#[tokio::test]
async fn a_wrong_key_ends_after_a_few_tries() {
    let site = Site::start(54, 1, Faults::default()).await;
    let heard = Arc::new(Mutex::new(Heard::default()));
    let (url, _server) = drydock(&heard);
    site.world.set_callback_url(&url).unwrap();
    let id = site.enlist(1).await;
    site.maas
        .put(&format!("machines/{id}/"), &[("hostname", "node1")])
        .await
        .good();
    site.commission(&id, "Ready").await;
    site.maas
        .post("tags/", &[("name", "node1__baid__ff")])
        .await
        .good();
    site.maas
        .post("tags/node1__baid__ff/?op=update_nodes", &[("add", &id)])
        .await
        .good();
    site.deploy(&id, "Deployed").await;
    let state = call_back_ended(&site).await;
    assert!(
        format!("{:?}", state.call_back).contains("answered 403 5 times"),
        "{state:?}"
    );
    assert_eq!(heard.lock().unwrap().calls.len(), 5);
}
