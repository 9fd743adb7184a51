//! The database goes away, hangs up or is full: the servers say so in their health and their log, lose nothing they accepted, and carry on by
//! themselves.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::database::{Cluster, TestDatabase, ask};
use crate::processes::{Site, answer, until};

const NODES: usize = 4;

fn is_bmc(command: &'static str) -> impl Fn(&serde_json::Value) -> bool {
    move |call| call["kind"] == "bmc" && call["origin"] == "bmc" && call["command"] == command
}

/// What a server says of itself.
fn health(url: &str) -> String {
    answer("GET", &format!("{url}/api/v1.0/health"), None)
}

fn until_well(url: &str) {
    until("good health", || {
        health(url).starts_with("HTTP/1.1 204").then_some(())
    });
}

fn until_sick(url: &str) {
    until("bad health", || {
        let health = health(url);
        (health.starts_with("HTTP/1.1 503") && health.contains("database")).then_some(())
    });
}

fn everything_was_done_once(site: &Site) {
    for command in ["power_off", "power_on"] {
        let told = site.told(command);
        assert_eq!(told.len(), NODES, "{command}: {told:?}");
        assert!(
            told.iter().all(|(_, count)| *count == 1),
            "{command}: {told:?}"
        );
    }
    for op in ["commission", "deploy"] {
        let mut paths = site.asked(op);
        assert_eq!(paths.len(), NODES, "{op}: {paths:?}");
        paths.dedup();
        assert_eq!(paths.len(), NODES, "{op}: {paths:?}");
    }
}

#[test]
fn a_database_that_is_restarted_loses_nothing() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let setting = format!("database.url={}", cluster.url());
    let mut site = Site::new("lab.yaml", "0.05", None);
    let first = site.serve(&[&setting]);
    let (second, beside) = site.serve_beside(&[&setting]);
    let design = site.upload();
    site.succeed("prepare_site", &design);
    let urls = [site.url.clone(), beside];
    let mut tasks = Vec::new();
    for (action, sign) in [("prepare_nodes", "power_off"), ("deploy_nodes", "")] {
        tasks.push(site.begin(action, &design));
        if sign.is_empty() {
            site.until_called("deploy", |call| call["op"] == "deploy");
        } else {
            site.until_called(sign, is_bmc(sign));
        }
        // Accepted, and not begun on: it waits for the nodes.
        tasks.push(site.begin("verify_nodes", &design));
        cluster.vanish();
        for url in &urls {
            until_sick(url);
        }
        for server in [&first, &second] {
            assert!(
                server.output().contains("no heartbeat could be written"),
                "{}",
                server.output()
            );
        }
        cluster.come_back();
        for url in &urls {
            until_well(url);
        }
        for task in tasks.drain(..) {
            let (code, task) = site.end(&task);
            assert_eq!(code, Some(0), "{task:#}");
        }
    }
    everything_was_done_once(&site);
    for server in [first, second] {
        assert!(server.output().contains("the database is back"));
        assert_eq!(server.terminate(), Some(0));
    }
}

#[test]
fn connections_that_are_cut_in_the_middle_lose_nothing() {
    let Some(database) = TestDatabase::new() else {
        return;
    };
    let setting = format!("database.url={}", database.url);
    let mut site = Site::new("lab.yaml", "0.03", None);
    let first = site.serve(&[&setting]);
    let (second, _) = site.serve_beside(&[&setting]);
    let design = site.upload();
    site.succeed("prepare_site", &design);
    // Whoever is in a transaction is preferred; what is idle goes as well.
    let cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let busy = format!("{cut} AND state <> 'idle'");
    let (mut cuts, mut in_the_middle) = (0, 0);
    for action in ["prepare_nodes", "deploy_nodes"] {
        let task = site.begin(action, &design);
        let ended = format!("SELECT status FROM tasks WHERE id = '{task}'");
        until("the end", || {
            for _ in 0..20 {
                let hit = ask(&database.url, &busy).is_some_and(|count| count != "0");
                in_the_middle += u32::from(hit);
            }
            cuts += 1;
            if cuts % 5 == 0 {
                ask(&database.url, cut);
            }
            (ask(&database.url, &ended)? == "complete").then_some(())
        });
        let (code, task) = site.end(&task);
        assert_eq!(code, Some(0), "{task:#}");
    }
    assert!(
        in_the_middle > 0,
        "nobody was at work in {cuts} times twenty looks"
    );
    eprintln!("{in_the_middle} times in the middle");
    everything_was_done_once(&site);
    until_well(&site.url);
    for server in [first, second] {
        assert_eq!(server.terminate(), Some(0));
    }
}

/// A small disk that only one process and its children see: a mount in a namespace of their own. The write-ahead log alone may take 16 MB before it
/// begins anew.
fn on_a_small_disk(place: &Path) -> Option<[String; 5]> {
    let mount = format!(
        "mount -t tmpfs -o size=48m none {} && exec \"$0\" \"$@\"",
        place.display()
    );
    let words = ["unshare", "-rm", "sh", "-c", &mount].map(str::to_owned);
    let output = Command::new(&words[0])
        .args(&words[1..])
        .arg("true")
        .output()
        .ok()?;
    output.status.success().then_some(words)
}

#[test]
fn a_full_disk_is_told_and_survived() {
    let mut site = Site::new("lab.yaml", "0.02", None);
    let disk = site.folder.path().join("disk");
    std::fs::create_dir(&disk).expect("a folder");
    let Some(wrapped) = on_a_small_disk(&disk) else {
        eprintln!("skipped: no mount is allowed here");
        return;
    };
    site.wrapped = wrapped.to_vec();
    let setting = format!(
        "database.url=sqlite://{}",
        disk.join("drydock.db").display()
    );
    let server = site.serve(&[&setting]);
    let design = site.upload();
    site.succeed("prepare_site", &design);
    let task = site.begin("prepare_nodes", &design);
    site.until_called("power_off", is_bmc("power_off"));
    // As the server sees it.
    let filler = PathBuf::from(format!("/proc/{}/root{}", server.pid(), disk.display()));
    fill(&filler.join("filler"));
    until("a word about it", || {
        let output = server.output();
        (output.contains("disk is full") && output.contains("no heartbeat could be written"))
            .then_some(())
    });
    until_sick(&site.url);
    let refused = site.client(&["task", "create", "-a", "noop", "-d", &design]);
    assert!(!refused.status.success(), "a full disk takes no task");
    std::fs::remove_file(filler.join("filler")).expect("a filler");
    until_well(&site.url);
    let (code, task) = site.end(&task);
    assert_eq!(code, Some(0), "{task:#}");
    site.succeed("deploy_nodes", &design);
    everything_was_done_once(&site);
    assert_eq!(server.terminate(), Some(0));
}

/// Writes until nothing more goes.
fn fill(file: &Path) {
    use std::io::Write;
    let mut file = std::fs::File::create(file).expect("a filler");
    for size in [65_536, 4096, 1] {
        let bytes = vec![0; size];
        while file.write(&bytes).is_ok_and(|written| written > 0) {}
    }
}
