//! Which operation a node takes in which status, and what it says otherwise.

use super::site::{Site, broken};
use drydock_sim::MachineFaults;

/// Operations tried, in this order; one that succeeds changes the status, so each is tried on a site of its own only
/// where it is refused, and last where it is allowed.
const OPS: [&str; 8] = [
    "abort",
    "override_failed_testing",
    "mark_fixed",
    "restore_networking_configuration",
    "set_storage_layout",
    "deploy",
    "commission",
    "release",
];

async fn site_in(net: u8, status: &str) -> (Site, String) {
    let faults = match status {
        "Failed commissioning" => MachineFaults {
            fails_commissioning: true,
            ..MachineFaults::default()
        },
        "Failed deployment" => MachineFaults {
            fails_deployment: true,
            ..MachineFaults::default()
        },
        _ => MachineFaults::default(),
    };
    let site = Site::start(net, 1, broken(faults)).await;
    let id = site.enlist(1).await;
    let stuck = broken(MachineFaults {
        ignores_power: true,
        ..MachineFaults::default()
    });
    match status {
        "New" => {}
        "Commissioning" => {
            site.world.set_faults(stuck).unwrap();
            site.op(&id, "commission", &[]).await.good();
        }
        "Failed commissioning" => site.commission(&id, status).await,
        "Broken" => {
            site.op(&id, "mark_broken", &[]).await.good();
        }
        _ => {
            site.commission(&id, "Ready").await;
            match status {
                "Ready" => {}
                "Allocated" => {
                    site.maas
                        .post("machines/?op=allocate", &[("system_id", &id)])
                        .await
                        .good();
                }
                "Deploying" => {
                    site.world.set_faults(stuck).unwrap();
                    site.op(&id, "deploy", &[]).await.good();
                }
                _ => site.deploy(&id, status).await,
            }
        }
    }
    assert_eq!(site.node(&id).await["status_name"], status);
    (site, id)
}

/// For each status the answers to [`OPS`]; 200 where it is taken.
const TABLE: [(&str, [u16; 8]); 9] = [
    ("New", [409, 409, 409, 409, 409, 409, 200, 409]),
    ("Commissioning", [200, 409, 409, 409, 409, 409, 400, 409]),
    (
        "Failed commissioning",
        [409, 409, 409, 409, 409, 409, 200, 409],
    ),
    ("Ready", [409, 409, 409, 200, 200, 200, 200, 200]),
    ("Allocated", [409, 409, 409, 409, 409, 200, 400, 200]),
    ("Deploying", [200, 409, 409, 409, 409, 409, 400, 200]),
    ("Deployed", [409, 409, 409, 409, 409, 409, 400, 200]),
    (
        "Failed deployment",
        [409, 409, 409, 409, 409, 409, 400, 200],
    ),
    ("Broken", [409, 409, 200, 409, 409, 409, 200, 200]),
];

#[tokio::test]
async fn refusals_are_those_of_the_table() {
    for (row, (status, answers)) in TABLE.into_iter().enumerate() {
        let (site, id) = site_in(20 + u8::try_from(row).unwrap(), status).await;
        for (op, expected) in OPS.into_iter().zip(answers) {
            if expected == 200 {
                continue;
            }
            let said = site.op(&id, op, &[("storage_layout", "flat")]).await;
            assert_eq!(said.status, expected, "{op} in {status}: {said:?}");
            assert_eq!(
                site.node(&id).await["status_name"],
                status,
                "{op} changed {status}"
            );
        }
        site.world.stop().await;
    }
}

#[tokio::test]
async fn what_the_table_allows_works() {
    let after = |status: &str, op: &str| match (status, op) {
        ("Commissioning", "abort") => "New",
        ("Deploying", "abort") => "Allocated",
        ("Broken", "mark_fixed") => "Ready",
        (_, "deploy") => "Deploying",
        (_, "commission") => "Commissioning",
        (_, "release") => "Ready",
        _ => "",
    };
    for (row, (status, answers)) in TABLE.into_iter().enumerate() {
        for (op, expected) in OPS.into_iter().zip(answers) {
            if expected != 200 {
                continue;
            }
            let (site, id) = site_in(30 + u8::try_from(row).unwrap(), status).await;
            let seq = site.world.call_log().last_seq();
            site.op(&id, op, &[("storage_layout", "flat")]).await.good();
            let wanted = after(status, op);
            if !wanted.is_empty() && wanted != status && !(status == "Deploying" && op == "release")
            {
                site.node_enters_after(seq, wanted).await;
            }
            site.world.stop().await;
        }
    }
}

#[tokio::test]
async fn refusals_say_what_the_real_server_says() {
    let (site, id) = site_in(40, "Deployed").await;
    let cases = [
        ("commission", "{\"__all__\":[\"Commission is not available because of the current state of the node.\"]}".to_owned()),
        ("deploy", "Can't deploy a machine that is in the 'Deployed' state".to_owned()),
        ("abort", format!("Cannot abort in current state: node {id} is in state Deployed.")),
        ("set_storage_layout", "Cannot change the storage layout on a machine that is not Ready.".to_owned()),
        (
            "override_failed_testing",
            "Unable to override node status. Node is not in 'Failed testing' status.".to_owned(),
        ),
    ];
    for (op, text) in cases {
        assert_eq!(site.op(&id, op, &[]).await.text, text);
    }
    let said = site
        .maas
        .post("machines/?op=allocate", &[("system_id", &id)])
        .await;
    assert_eq!(
        said.text,
        format!("No machine with system ID {id} available.")
    );
}

#[tokio::test]
async fn deploy_needs_an_image_a_kernel_and_a_link() {
    let (site, id) = site_in(41, "Ready").await;
    let said = site.op(&id, "deploy", &[("distro_series", "nope")]).await;
    assert_eq!(said.status, 400);
    assert!(
        said.text.contains("'nope' is not a valid distro_series."),
        "{said:?}"
    );
    let said = site
        .op(
            &id,
            "deploy",
            &[("distro_series", "jammy"), ("hwe_kernel", "hwe-99")],
        )
        .await;
    assert!(
        said.text
            .contains("hwe-99 is not available for ubuntu/jammy on amd64/generic."),
        "{said:?}"
    );
    let boot = site.node(&id).await["boot_interface"]["id"].to_string();
    site.maas
        .post(&format!("nodes/{id}/interfaces/{boot}/?op=disconnect"), &[])
        .await
        .good();
    let said = site
        .op(&id, "deploy", &[("distro_series", "ubuntu/jammy")])
        .await;
    assert_eq!(said.status, 400);
    assert_eq!(
        said.text,
        "{\"network\":[\"Node must be configured to use a network\"]}"
    );
}
