//! `drydock oob` through a server and without one, against simulated controllers: the same command does and tells the same.

use std::process::Output;

use nix::sys::signal::{Signal, kill};
use serde_json::Value;

use crate::processes::{Site, drydock, http, run, said, until};

/// The credential of the example's controllers.
const PASSWORD: &str = "correct-horse";

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", said(output)))
}

/// `oob ARGUMENTS` through the server.
fn through(site: &Site, arguments: &str) -> Output {
    let all: Vec<&str> = ["oob"]
        .into_iter()
        .chain(arguments.split_whitespace())
        .collect();
    site.client(&all)
}

/// `oob ARGUMENTS --direct` by the design of the site, with the settings that its servers have.
fn without(site: &Site, arguments: &str, settings: &[&str]) -> Output {
    let mut all: Vec<String> = ["oob"]
        .into_iter()
        .chain(arguments.split_whitespace())
        .map(str::to_owned)
        .collect();
    all.extend(["--direct".into(), site.design.display().to_string()]);
    let config = site.folder.path().join("drydock.yaml");
    all.extend(["--config".into(), config.display().to_string()]);
    for setting in settings {
        all.extend(["--set".into(), (*setting).to_owned()]);
    }
    run(all)
}

/// What a command tells of a node.
fn row<'a>(answer: &'a Value, node: &str) -> &'a Value {
    let rows = answer["nodes"].as_array().expect("rows");
    rows.iter()
        .find(|row| row["node"] == node)
        .unwrap_or_else(|| panic!("no {node}: {answer:#}"))
}

/// A site whose machines are on.
fn site(faults: Option<&str>) -> Site {
    Site::new("lab.yaml", "0", faults)
}

#[test]
fn a_server_and_this_process_do_the_same() {
    let mut site = site(None);
    let _server = site.serve(&[]);
    let design = site.upload();
    let by_server = |arguments: &str| through(&site, &format!("{arguments} -d {design} -o json"));
    let directly = |arguments: &str| without(&site, &format!("{arguments} -o json"), &[]);
    type Way<'a> = (&'a str, &'a dyn Fn(&str) -> Output);
    let ways: [Way<'_>; 2] = [("server", &by_server), ("direct", &directly)];

    let mut told = Vec::new();
    for (way, go) in ways {
        let status = go("status --all");
        assert_eq!(status.status.code(), Some(0), "{way}: {}", said(&status));
        assert!(!said(&status).contains(PASSWORD));
        let answer = json(&status);
        assert_eq!(answer["result"], "success");
        let first = row(&answer, "worker1");
        assert_eq!(
            (&first["type"], &first["power"]),
            (&Value::from("ipmi"), &Value::from("on"))
        );
        assert!(
            first["address"]
                .as_str()
                .is_some_and(|it| it.starts_with("127.41.0.11:")),
            "{first:#}"
        );
        told.push(answer["nodes"].clone());
    }
    assert_eq!(told[0], told[1], "the same by both ways");

    for (at, (way, go)) in ways.into_iter().enumerate() {
        let off = go("power off worker1");
        assert_eq!(off.status.code(), Some(0), "{way}: {}", said(&off));
        assert_eq!(row(&json(&off), "worker1")["power"], "off");
        let status = json(&go("power status worker1 worker2"));
        assert_eq!(row(&status, "worker1")["power"], "off", "{way}");
        assert_eq!(row(&status, "worker2")["power"], "on", "{way}");
        // What is so already is not sent again.
        assert!(go("power off worker1").status.success());
        assert_eq!(
            site.told("power_off"),
            [("worker1".to_owned(), at + 1)],
            "{way}"
        );
        let dry = json(&go("power on worker1 --dry-run"));
        let message = row(&dry, "worker1")["message"].to_string();
        assert!(message.contains("would power_on"), "{way}: {message}");
        assert_eq!(site.told("power_on").len(), at.min(1), "{way}");
        let on = go("power on worker1");
        assert_eq!(row(&json(&on), "worker1")["power"], "on", "{way}");
    }

    for (way, go, device, told) in [
        ("server", ways[0].1, "cd", "cd"),
        ("direct", ways[1].1, "disk", "disk"),
        ("server", ways[0].1, "setup", "setup"),
        ("direct", ways[1].1, "network", "pxe"),
    ] {
        let boot = go(&format!("boot worker2 --device {device}"));
        assert_eq!(boot.status.code(), Some(0), "{way}: {}", said(&boot));
        assert_eq!(row(&json(&boot), "worker2")["boot"]["device"], device);
        let status = json(&go("status worker2"));
        assert_eq!(
            row(&status, "worker2")["boot"]["device"],
            told,
            "{way}: {status:#}"
        );
    }
    let cycled = directly("power cycle worker2 worker3 --yes");
    assert_eq!(cycled.status.code(), Some(0), "{}", said(&cycled));
    let counts = site.told("power_off");
    let of = |name: &str| counts.iter().find(|(of, _)| of == name).map(|(_, n)| *n);
    assert_eq!((of("worker2"), of("worker3")), (Some(1), Some(1)));
    assert!(site.told("power_cycle").is_empty(), "never a bare cycle");
}

#[test]
fn what_takes_power_from_several_machines_is_asked_first() {
    let mut site = site(None);
    let _server = site.serve(&[]);
    let nothing = through(&site, "status --all");
    assert_eq!(nothing.status.code(), Some(2), "{}", said(&nothing));
    assert!(said(&nothing).contains("--design"), "{}", said(&nothing));
    let design = site.upload();
    site.succeed("noop", &design);
    for arguments in ["power off --all", "power cycle worker1 worker2"] {
        for output in [
            through(&site, &format!("{arguments} -d {design}")),
            without(&site, arguments, &[]),
        ] {
            assert_eq!(output.status.code(), Some(2), "{}", said(&output));
            let said = said(&output);
            assert!(
                said.contains("worker1, worker2") && said.contains("--yes"),
                "{said}"
            );
        }
    }
    let unknown = through(
        &site,
        &format!("power off worker1 wroker2 --yes -d {design}"),
    );
    assert_eq!(unknown.status.code(), Some(3), "{}", said(&unknown));
    assert!(said(&unknown).contains("no node wroker2"));
    for wrong in [
        "power off",
        "status",
        "status worker1 --all",
        "boot worker1 --device tape",
    ] {
        let output = through(&site, &format!("{wrong} -d {design}"));
        assert_eq!(output.status.code(), Some(2), "{wrong}: {}", said(&output));
    }
    let of_controllers = site
        .calls()
        .into_iter()
        .filter(|call| call["kind"] == "bmc");
    assert_eq!(of_controllers.count(), 0, "nothing was sent");
    // Without a name: the design of the newest task.
    let status = through(&site, "power status worker1");
    assert_eq!(status.status.code(), Some(0), "{}", said(&status));
    assert!(said(&status).contains(&design), "{}", said(&status));
}

#[test]
fn what_failed_is_told_with_what_to_do_and_a_refused_password_is_tried_once() {
    let mut site = site(Some(
        r#"{"machines": {"worker1": {"bmc_wrong_password": true}, "worker2": {"bmc_silent": true},
            "worker3": {"bmc": {"sensor_alarm": true}}}}"#,
    ));
    let quick = [
        "oob.ipmi.timeout=100ms",
        "oob.ipmi.retries=1",
        "timeouts.drydock_timeout=2s",
    ];
    let _server = site.serve(&quick);
    let design = site.upload();
    for (way, output) in [
        (
            "server",
            through(&site, &format!("status --all -d {design} -o json")),
        ),
        ("direct", without(&site, "status --all -o json", &quick)),
    ] {
        assert_eq!(output.status.code(), Some(1), "{way}: {}", said(&output));
        let answer = json(&output);
        assert_eq!(answer["result"], "partial_success", "{way}");
        let message = |node: &str| row(&answer, node)["message"].to_string();
        assert!(
            message("worker1").contains("correct oob.account"),
            "{way}: {answer:#}"
        );
        assert!(
            message("worker2").contains("check that the BMC is up"),
            "{way}: {answer:#}"
        );
        assert_eq!(row(&answer, "worker2")["address"], "127.41.0.12", "{way}");
        assert_eq!(row(&answer, "worker3")["result"], "success", "{way}");
        assert!(!said(&output).contains(PASSWORD));
    }

    let doctor = without(&site, "doctor --all -o json", &quick);
    assert_eq!(doctor.status.code(), Some(1), "{}", said(&doctor));
    let reports = json(&doctor);
    let grade = |node: &str| {
        let all = reports.as_array().expect("reports");
        let found = all.iter().find(|report| report["node"] == node);
        found.expect("a report")["grade"].to_string()
    };
    assert_eq!(grade("worker1"), "\"bad\"", "{reports:#}");
    assert_eq!(grade("worker2"), "\"bad\"");
    assert_eq!(grade("worker3"), "\"warning\"");
    assert_eq!(grade("control"), "\"ok\"", "{reports:#}");
    let people = through(&site, &format!("doctor worker3 -d {design}"));
    assert_eq!(people.status.code(), Some(0), "{}", said(&people));
    for words in ["in alarm: PSU 2", "cipher suite", "1 with warnings, 0 bad"] {
        assert!(said(&people).contains(words), "{words}: {}", said(&people));
    }
    // It only reads.
    assert!(site.calls().iter().all(|call| call["kind"] != "bmc"));
}

#[test]
fn what_is_kept_of_machines_is_shown_without_asking_again() {
    let mut site = site(None);
    let _server = site.serve(&[]);
    let design = site.upload();
    let show = |more: &str| through(&site, &format!("inventory worker1 -d {design} {more}"));
    let none = show("");
    assert_eq!(none.status.code(), Some(1), "{}", said(&none));
    assert!(said(&none).contains("--fresh"), "{}", said(&none));
    let fresh = show("--fresh -o json");
    assert_eq!(fresh.status.code(), Some(0), "{}", said(&fresh));
    let kept = show("-o json");
    assert_eq!(json(&kept), json(&fresh));
    let list = json(&kept);
    let data = &list[0]["inventory"];
    assert_eq!(data["serial"], "worker1", "{list:#}");
    assert_eq!(data["session"]["cipher_suite"], 17);
    assert_eq!(data["log"]["overflow"], false);
    assert!(
        data["log"]["clock_ahead_s"]
            .as_i64()
            .is_some_and(|off| off.abs() < 60)
    );
    assert!(said(&show("")).contains("Simulated Server"));
    let direct = without(&site, "inventory worker2 -o json", &[]);
    assert_eq!(json(&direct)[0]["inventory"]["serial"], "worker2");
}

#[test]
fn a_plan_of_power_is_told_and_carried_out() {
    let mut site = site(None);
    let _server = site.serve(&[]);
    let design = site.upload();
    let file = site.folder.path().join("off.json").display().to_string();
    let plan = "plan -a oob_nodes --verb off -n worker1 -d";
    let mut arguments: Vec<&str> = plan.split(' ').collect();
    arguments.extend([design.as_str(), "--out", &file]);
    let planned = site.client(&arguments);
    assert_eq!(planned.status.code(), Some(0), "{}", said(&planned));
    assert!(
        said(&planned).contains("1 of them reboots"),
        "{}",
        said(&planned)
    );
    assert!(site.told("power_off").is_empty());
    let applied = site.client(&["apply", &file, "--wait"]);
    assert_eq!(applied.status.code(), Some(0), "{}", said(&applied));
    assert_eq!(site.told("power_off"), [("worker1".to_owned(), 1)]);
}

#[test]
fn metrics_tell_of_controllers_and_of_the_engine() {
    let mut site = site(Some(
        r#"{"machines": {"worker1": {"bmc_wrong_password": true}}}"#,
    ));
    let _server = site.serve(&[]);
    let design = site.upload();
    let off = through(&site, &format!("power off --all --yes -d {design}"));
    assert_eq!(off.status.code(), Some(1), "{}", said(&off));
    for path in ["/metrics", "/api/v1.0/metrics"] {
        let text = http("GET", &format!("{}{path}", site.url), None);
        let value = |series: &str| -> f64 {
            let line = text.lines().find_map(|line| line.strip_prefix(series));
            let line = line.unwrap_or_else(|| panic!("no {series}:\n{text}"));
            line.trim().parse().expect("a number")
        };
        let port = site.bmc_port();
        let of = |host: &str| format!("{{driver=\"ipmi\",bmc=\"{host}:{port}\"}}");
        for host in ["127.41.0.10", "127.41.0.12", "127.41.0.13"] {
            assert!(value(&format!("drydock_oob_commands_total{}", of(host))) >= 3.0);
            assert!(value(&format!("drydock_oob_requests_total{}", of(host))) >= 8.0);
        }
        let refused = "drydock_oob_failures_total{driver=\"ipmi\",bmc=\"127.41.0.11:";
        let refused = format!("{refused}{port}\",class=\"auth\"}}");
        assert_eq!(value(&refused), 1.0, "tried once");
        assert_eq!(value("drydock_leader "), 1.0);
        assert_eq!(value("drydock_tasks{status=\"complete\"} "), 1.0);
        assert_eq!(value("drydock_journal_writes_total{kind=\"intent\"} "), 3.0);
        assert_eq!(
            value("drydock_journal_writes_total{kind=\"outcome\"} "),
            3.0
        );
        let count = "drydock_oob_command_duration_seconds_count{driver=\"ipmi\"} ";
        assert!(value(count) >= 10.0);
        assert!(text.ends_with("# EOF\n"));
        assert!(
            !text.contains(PASSWORD) && !text.contains("worker"),
            "{text}"
        );
    }
}

/// Without a server nobody could answer what an operator is asked.
#[test]
fn what_is_done_by_hand_needs_a_server() {
    let mut site = site(None);
    let text = std::fs::read_to_string(&site.design).expect("the example");
    let by_hand = text.replace("type: ipmi", "type: manual");
    let one = text.replace(
        "  name: worker2\ndata:\n",
        "  name: worker2\ndata:\n  oob: {type: manual}\n",
    );
    assert!(by_hand != text && one != text);
    for (text, nodes, code, told) in [
        (
            &by_hand,
            "--all",
            2,
            "nobody can be asked: control, worker1, worker2, worker3",
        ),
        (&one, "worker1 worker2", 2, "nobody can be asked: worker2"),
        (&one, "--all", 0, "left out: of out-of-band type manual"),
    ] {
        let file = site.folder.path().join("by-hand.yaml");
        std::fs::write(&file, text).expect("a design");
        site.design = file;
        let output = without(&site, &format!("status {nodes}"), &[]);
        assert_eq!(output.status.code(), Some(code), "{}", said(&output));
        assert!(said(&output).contains(told), "{}", said(&output));
    }
}

/// The provisioner's own rack controller, whatever the design thinks that it is.
#[test]
fn a_controller_of_the_provisioner_keeps_its_power() {
    let mut site = site(None);
    let text = std::fs::read_to_string(&site.design).expect("the example");
    assert!(text.contains("name: worker3"));
    let other = site.folder.path().join("other.yaml");
    std::fs::write(&other, text.replace("name: worker3", "name: rack1")).expect("a design");
    site.design = other;
    let _server = site.serve(&[]);
    let design = site.upload();
    for (way, output) in [
        (
            "server",
            through(
                &site,
                &format!("power off rack1 worker2 --yes -d {design} -o json"),
            ),
        ),
        (
            "direct",
            without(&site, "power cycle rack1 worker2 --yes -o json", &[]),
        ),
    ] {
        assert_eq!(output.status.code(), Some(0), "{way}: {}", said(&output));
        let answer = json(&output);
        let message = row(&answer, "rack1")["message"].to_string();
        assert!(message.contains("was left alone"), "{way}: {answer:#}");
        assert_eq!(row(&answer, "rack1")["power"], Value::Null, "{way}");
        assert!(
            site.told("power_off")
                .iter()
                .all(|(name, _)| name == "worker2"),
            "{way}: {:?}",
            site.told("power_off")
        );
    }
}

#[test]
fn who_is_interrupted_ends_what_is_under_way_and_leaves_the_rest() {
    ends_in_order_on(Signal::SIGINT);
}

/// The operator's connection was cut.
#[test]
fn nobody_there_any_more_is_an_interruption() {
    ends_in_order_on(Signal::SIGHUP);
}

#[test]
fn who_waits_no_longer_is_told_that_it_has_not_ended() {
    // Nobody answers at worker2, so the task has no end of its own for a long time.
    let site = site(Some(r#"{"machines": {"worker2": {"bmc_silent": true}}}"#));
    let late = without(
        &site,
        "status worker2 --timeout 0.5",
        &["oob.ipmi.timeout=100ms"],
    );
    assert_eq!(late.status.code(), Some(5), "{}", said(&late));
}

/// Nobody answers at worker2, so the task has no end of its own for a long time.
fn ends_in_order_on(signal: Signal) {
    let site = site(Some(r#"{"machines": {"worker2": {"bmc_silent": true}}}"#));
    let mut command = drydock();
    command
        .args([
            "oob", "power", "cycle", "worker1", "worker2", "--yes", "--direct",
        ])
        .arg(&site.design)
        .arg("--config")
        .arg(site.folder.path().join("drydock.yaml"))
        .args(["--set", "oob.ipmi.timeout=100ms"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let child = command.spawn().expect("the binary starts");
    site.until_called("worker1 to be off", |call| {
        call["kind"] == "bmc" && call["machine"] == "worker1" && call["command"] == "power_off"
    });
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).expect("a pid"));
    kill(pid, signal).expect("a process to tell");
    let output = child.wait_with_output().expect("an end");
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("interrupted"), "{}", said(&output));
    // Never half powered: the machine that was switched off is on again.
    until("worker1 to be on", || {
        site.told("power_on")
            .iter()
            .any(|(name, _)| name == "worker1")
            .then_some(())
    });
}
