//! What single makers do, and what breaks.

use drydock_sim::{BmcFaults, Call, Faults, MachineFaults, RedfishFaults, Vendor};
use serde_json::json;

use super::super::site::{broken, within};
use super::{RESET, commands, plain, redfish, wire};

#[tokio::test]
async fn makers_refuse_boot_settings_in_their_own_ways() {
    let whole = json!({
        "BootSourceOverrideTarget": "Pxe",
        "BootSourceOverrideEnabled": "Continuous",
        "BootSourceOverrideMode": "UEFI",
    });
    let part = json!({"BootSourceOverrideTarget": "Pxe", "BootSourceOverrideEnabled": "Once"});
    let with = |set: fn(&mut RedfishFaults)| {
        let mut faults = RedfishFaults::default();
        set(&mut faults);
        redfish(faults)
    };
    let (site, bmc) = plain(137, with(|it| it.wants_whole_boot = true)).await;
    assert_eq!(bmc.boot(part.clone()).await.status, 400);
    assert_eq!(bmc.boot(whole.clone()).await.status, 204);
    let now = |faults| site.world.set_faults(broken(faults)).unwrap();
    now(with(|it| it.refuses_unchanged = true));
    assert_eq!(bmc.boot(whole.clone()).await.status, 400);
    now(with(|it| it.refuses_continuous = true));
    assert_eq!(bmc.boot(whole.clone()).await.status, 400);
    assert_eq!(bmc.boot(part.clone()).await.status, 204);
    now(with(|it| it.boot_on_settings = true));
    assert_eq!(bmc.boot(whole.clone()).await.status, 400);
    let settings = json!({"Boot": whole});
    let said = bmc.send("PATCH", "Systems/1/Settings", settings).await;
    assert_eq!(said.status, 204);
    assert_eq!(bmc.seen_boot().await[1], "Continuous");
    now(MachineFaults {
        forgets_boot_device: true,
        ..MachineFaults::default()
    });
    assert_eq!(
        bmc.boot(json!({"BootSourceOverrideTarget": "Cd"}))
            .await
            .status,
        204
    );
    assert_eq!(
        bmc.seen_boot().await[0],
        "Pxe",
        "it said yes and kept the old one"
    );
    now(with(|it| it.post_ms = 60_000));
    assert_eq!(bmc.boot(part.clone()).await.status, 204, "it is off");
    assert_eq!(bmc.reset("On").await, 204);
    bmc.becomes("On").await;
    assert_eq!(bmc.boot(part.clone()).await.status, 400, "it is in POST");
    now(MachineFaults {
        loses_boot_device: true,
        ..MachineFaults::default()
    });
    assert_eq!(bmc.boot(part).await.status, 204);
    assert_eq!(bmc.seen_boot().await[0], "Pxe");
    assert_eq!(bmc.reset("ForceOff").await, 204);
    bmc.becomes("Off").await;
    assert_eq!(bmc.seen_boot().await[0], "None", "it went with the power");
}

#[tokio::test]
async fn on_is_refused_shortly_after_off_and_so_is_what_is_so_already() {
    let mut faults = wire(BmcFaults {
        vendor: Vendor::Ilo,
        ..BmcFaults::default()
    });
    let (site, bmc) = plain(138, faults).await;
    assert_eq!(bmc.reset("ForceOff").await, 400, "iLO");
    faults.bmc.vendor = Vendor::Plain;
    faults.redfish.on_after_off_ms = 300;
    faults.redfish.refuses_same_power = true;
    site.world.set_faults(broken(faults)).unwrap();
    assert_eq!(bmc.reset("ForceOff").await, 409);
    assert_eq!(bmc.reset("On").await, 204);
    bmc.becomes("On").await;
    assert_eq!(bmc.reset("On").await, 409);
    assert_eq!(bmc.reset("ForceOff").await, 204);
    bmc.becomes("Off").await;
    assert_eq!(bmc.reset("On").await, 409, "it went off a moment ago");
    let later = async { while bmc.reset("On").await != 204 {} };
    within("On is taken in the end", later).await;
    assert!(
        commands(&site)
            .iter()
            .filter(|it| *it == "power_on")
            .count()
            == 2
    );
}

#[tokio::test]
async fn a_busy_a_slow_and_a_crashing_service() {
    let busy = wire(BmcFaults {
        busy_every: Some(2),
        ..BmcFaults::default()
    });
    let (site, mut bmc) = plain(139, busy).await;
    assert_eq!(bmc.ask(bmc.request("GET", "Systems")).await.status, 200);
    let put_off = bmc.request("GET", "Systems").send().await.unwrap();
    assert_eq!(put_off.status(), 503);
    assert_eq!(put_off.headers()["Retry-After"], "1");
    let now = |faults| site.world.set_faults(broken(faults)).unwrap();
    now(wire(BmcFaults {
        delay_ms: 120,
        ..BmcFaults::default()
    }));
    let begin = std::time::Instant::now();
    bmc.get("Systems").await;
    assert!(begin.elapsed() >= std::time::Duration::from_millis(120));
    now(MachineFaults::default());
    bmc.token = Some(bmc.log_in("calvin").await.unwrap().0);
    now(wire(BmcFaults {
        crashes_above: Some(3),
        crash_ms: 300,
        ..BmcFaults::default()
    }));
    let mut cut = 0;
    for _ in 0..4 {
        cut += u8::from(bmc.request("GET", "Systems").send().await.is_err());
    }
    assert_eq!(cut, 1, "the fourth in a second is one too many");
    let back = async {
        loop {
            if let Ok(answer) = bmc.request("GET", "").send().await {
                return answer.status();
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    assert_eq!(within("it comes back", back).await, 200);
    let lost = bmc.ask(bmc.request("GET", "Systems")).await;
    assert_eq!(lost.status, 401, "its sessions are gone");
    now(redfish(RedfishFaults {
        cuts_off_every: 1,
        ..RedfishFaults::default()
    }));
    bmc.token = None;
    let body = json!({"ResetType": "On"});
    let answer = bmc.request("POST", RESET).json(&body).send().await;
    assert!(answer.is_err(), "the answer is lost");
    now(MachineFaults::default());
    bmc.becomes("On").await;
    let calls = site.world.call_log().since(0);
    let lost = calls.iter().find(|entry| {
        matches!(&entry.call, Call::Redfish { path, status: None, .. } if path.ends_with("ComputerSystem.Reset"))
    });
    assert!(lost.is_some(), "the log tells that there was no answer");
}

#[tokio::test]
async fn a_silent_service_says_nothing_until_it_speaks_again() {
    let silent = MachineFaults {
        bmc_silent: true,
        ..MachineFaults::default()
    };
    let (site, bmc) = plain(140, silent).await;
    let short = std::time::Duration::from_millis(200);
    let request = bmc.request("GET", "").timeout(short);
    assert!(request.send().await.unwrap_err().is_timeout());
    site.world.set_faults(Faults::default()).unwrap();
    assert_eq!(bmc.ask(bmc.request("GET", "")).await.status, 200);
}

#[tokio::test]
async fn makers_differ_as_the_table_says() {
    let (site, bmc) = plain(141, MachineFaults::default()).await;
    for (vendor, system, sessions, links) in [
        (Vendor::Plain, "1", true, true),
        (Vendor::Minimal, "1", false, true),
        (Vendor::Openbmc, "system", true, true),
        (Vendor::Idrac, "System.Embedded.1", true, true),
        (
            Vendor::SushyTools,
            "c7a5fdbd-cdaf-9455-926a-d65c16db1809",
            false,
            false,
        ),
    ] {
        let faults = wire(BmcFaults {
            vendor,
            ..BmcFaults::default()
        });
        site.world.set_faults(broken(faults)).unwrap();
        let root = bmc.get("").await;
        assert_eq!(root["SessionService"].is_object(), sessions, "{vendor:?}");
        assert_eq!(root["Links"].is_object(), links, "{vendor:?}");
        let found = bmc.get(&format!("Systems/{system}")).await;
        assert_eq!(found["SerialNumber"], "n1", "{vendor:?}");
    }
}

#[tokio::test]
async fn nobodys_systems_come_first_and_the_machine_is_told_by_its_cards() {
    let (site, bmc) = plain(
        142,
        redfish(RedfishFaults {
            other_systems: 2,
            ..RedfishFaults::default()
        }),
    )
    .await;
    let systems = bmc.get("Systems").await;
    assert_eq!(
        systems["Members"][0]["@odata.id"],
        "/redfish/v1/Systems/DPU1"
    );
    assert_eq!(systems["Members@odata.count"], 3);
    let card = bmc.get("Systems/1/EthernetInterfaces/eno1").await;
    assert_eq!(card["MACAddress"], "52:54:00:8E:01:00");
    let path = "Systems/DPU1/Actions/ComputerSystem.Reset";
    let said = bmc.send("POST", path, json!({"ResetType": "On"})).await;
    assert_eq!(said.status, 204);
    assert_eq!(commands(&site), [""; 0], "nothing was done to the machine");
}
