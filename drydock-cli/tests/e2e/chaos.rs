//! Three servers on one PostgreSQL, and signals at random: killed and started again, stopped and continued, ended in order and started
//! again. The deployment ends as without them, and the simulators' log shows nothing done twice.
//!
//! `DRYDOCK_CHAOS=NODES,SIGNALS` is the long version (200,100); `DRYDOCK_CHAOS_SEED` repeats the choices of a run.

use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::database::{TestDatabase, ask};
use crate::processes::{PATIENCE, Process, Site, example, go_on};

const SERVERS: usize = 3;

/// For how long a server is stopped, ms: on both sides of the grace of these servers (1 s) and the clocks' difference (0.2 s), after which its
/// claims are lost; and longer than a machine stays on that was switched on for its enlistment (3 s), so that nobody may have seen it on.
const STOPPED: std::ops::Range<u64> = 300..6000;

/// Choices that a seed repeats (splitmix64, Steele, Lea and Flood 2014).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn within(&mut self, range: std::ops::Range<u64>) -> u64 {
        range.start + self.next() % (range.end - range.start)
    }
}

/// What is done to a server.
#[derive(Clone, Copy, Debug)]
enum Blow {
    Kill,
    Stop,
    Terminate,
}

struct Server {
    process: Option<Process>,
    url: String,
    /// Stopped; ends when it is continued.
    stopped: Option<JoinHandle<()>>,
}

impl Server {
    fn is_running(&self) -> bool {
        self.stopped.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

/// The lab with so many machines.
fn design(nodes: usize) -> String {
    assert!(nodes <= 240, "the lab's networks have no room for more");
    let lab = std::fs::read_to_string(example("lab.yaml")).expect("the lab");
    let shared = lab
        .split("---\n")
        .filter(|it| !it.contains("BaremetalNode"));
    let mut text = shared
        .collect::<Vec<_>>()
        .join("---\n")
        .replace("10.41.0.199", "10.41.0.250")
        .replace("10.41.0.100", "10.41.0.21")
        .replace("10.41.0.99", "10.41.0.20")
        .replace(".99\n", ".250\n");
    for host in 10..10 + nodes {
        text.push_str(&format!(
            "---
schema: drydock/BaremetalNode/v1
metadata: {{schema: metadata/Document/v1, name: n{host}}}
data:
  host_profile: base
  addressing:
    - {{network: oob, address: 127.41.0.{host}}}
    - {{network: pxe, address: dhcp}}
    - {{network: lan, address: 10.41.1.{host}}}
    - {{network: storage, address: 10.41.2.{host}}}
  metadata: {{rack: rack1}}
"
        ));
    }
    text
}

/// What was done to a machine that reboots or wipes it: more than once is a fault.
fn done_twice(site: &Site, nodes: usize) -> Vec<String> {
    let mut faults = Vec::new();
    for command in [
        "power_off",
        "power_on",
        "power_cycle",
        "power_reset",
        "power_soft_off",
    ] {
        let told = site.told(command);
        let wanted = ["power_off", "power_on"].contains(&command);
        if told.len() != if wanted { nodes } else { 0 } {
            faults.push(format!("{command} on {} machines", told.len()));
        }
        let often = told.into_iter().filter(|(_, count)| *count != 1);
        faults.extend(often.map(|(name, count)| format!("{command} on {name}: {count} times")));
    }
    for op in ["commission", "deploy"] {
        let paths = site.asked(op);
        let mut different = paths.clone();
        different.dedup();
        if different.len() != nodes || paths.len() != nodes {
            faults.push(format!("{op} on {} machines: {paths:?}", different.len()));
        }
    }
    for op in ["release", "abort", "erase"] {
        let paths = site.asked(op);
        faults.extend(paths.iter().map(|path| format!("{op}: {path}")));
    }
    faults
}

struct Chaos {
    site: Site,
    servers: Vec<Server>,
    chance: Chance,
    settings: String,
    database: String,
    blows: Vec<Blow>,
    struck: Vec<String>,
    begun: Instant,
}

impl Chaos {
    fn running(&self) -> Vec<usize> {
        let running = |index: &usize| self.servers[*index].is_running();
        (0..SERVERS).filter(running).collect()
    }

    /// The next blow; one server is always left to run.
    fn strike(&mut self) {
        let running = self.running();
        let Some(blow) = self.blows.last().copied().filter(|_| running.len() > 1) else {
            return;
        };
        self.blows.pop();
        let pick = self.chance.within(0..running.len() as u64) as usize;
        let stopped = Duration::from_millis(self.chance.within(STOPPED));
        let server = &mut self.servers[running[pick]];
        let at = self.begun.elapsed();
        self.struck
            .push(format!("{at:.1?}: {blow:?} {}", server.url));
        let process = server.process.take().expect("a server");
        match blow {
            Blow::Stop => {
                process.stop();
                // Whatever the others are made to do meanwhile.
                let pid = process.pid();
                server.stopped = Some(std::thread::spawn(move || {
                    std::thread::sleep(stopped);
                    go_on(pid);
                }));
                server.process = Some(process);
                return;
            }
            Blow::Kill => process.kill(),
            Blow::Terminate => assert_eq!(process.terminate(), Some(0)),
        }
        let url = server.url.clone();
        let process = self.site.serve_at(&url, &[&self.settings]);
        self.servers[running[pick]].process = Some(process);
    }

    /// A task, struck at all the while.
    fn through(&mut self, action: &str, design: &str, patience: Duration) -> Value {
        let running = self.running();
        self.site.url = self.servers[running[0]].url.clone();
        let id = self.site.begin(action, design);
        let sql = format!("SELECT status FROM tasks WHERE id = '{id}'");
        let begun = Instant::now();
        while ask(&self.database, &sql).as_deref() != Some("complete") {
            assert!(begun.elapsed() < patience, "{action} takes too long");
            let pause = Duration::from_millis(self.chance.within(50..600));
            // Not a delay that something depends on: when the next blow falls.
            std::thread::sleep(pause);
            self.strike();
        }
        for server in &mut self.servers {
            if let Some(stopped) = server.stopped.take() {
                stopped.join().expect("a server that goes on");
            }
        }
        self.site.end(&id).1
    }
}

fn chaos(nodes: usize, signals: usize, scale: &str, patience: Duration) {
    let Some(database) = TestDatabase::new() else {
        return;
    };
    let seed = match std::env::var("DRYDOCK_CHAOS_SEED") {
        Ok(seed) => seed.parse().expect("DRYDOCK_CHAOS_SEED is a number"),
        Err(_) => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH);
            now.expect("a time").as_nanos() as u64
        }
    };
    eprintln!("DRYDOCK_CHAOS_SEED={seed}");
    let mut chance = Chance(seed);
    let mut blows: Vec<Blow> = [Blow::Kill, Blow::Stop, Blow::Terminate]
        .into_iter()
        .cycle()
        .take(signals)
        .collect();
    for index in (1..blows.len()).rev() {
        blows.swap(index, chance.within(0..index as u64 + 1) as usize);
    }
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("lab.yaml");
    std::fs::write(&file, design(nodes)).expect("a design");
    let mut site = Site::new(file.to_str().expect("a path"), scale, None);
    let settings = format!("database.url={}", database.url);
    let mut servers = Vec::new();
    let url = site.url.clone();
    let process = site.serve(&[&settings]);
    servers.push(Server {
        process: Some(process),
        url,
        stopped: None,
    });
    while servers.len() < SERVERS {
        let (process, url) = site.serve_beside(&[&settings]);
        servers.push(Server {
            process: Some(process),
            url,
            stopped: None,
        });
    }
    let design = site.upload();
    site.succeed("prepare_site", &design);
    let mut chaos = Chaos {
        site,
        servers,
        chance,
        settings,
        database: database.url.clone(),
        blows,
        struck: Vec::new(),
        begun: Instant::now(),
    };
    for action in ["prepare_nodes", "deploy_nodes"] {
        let task = chaos.through(action, &design, patience);
        let came_through = task["result"]["successes"].as_array().map(Vec::len);
        assert!(
            task["result"]["status"] == "success" && came_through == Some(nodes),
            "{:#?}\n{task:#}",
            chaos.struck
        );
    }
    eprintln!(
        "{} in {:?}: {:#?}",
        chaos.struck.len(),
        chaos.begun.elapsed(),
        chaos.struck
    );
    assert!(
        chaos.blows.is_empty(),
        "it was over before {:?}",
        chaos.blows
    );
    let faults = done_twice(&chaos.site, nodes);
    assert!(faults.is_empty(), "{faults:#?}\n{:#?}", chaos.struck);
    // Nothing is held any more, nobody is at work.
    let sql = "SELECT count(*) FROM steps WHERE status <> 'done' OR holder IS NOT NULL";
    assert_eq!(ask(&database.url, sql).as_deref(), Some("0"));
    for server in chaos.servers {
        assert_eq!(server.process.expect("a server").terminate(), Some(0));
    }
}

#[test]
fn servers_struck_at_random_deploy_everything_once() {
    chaos(12, 10, "0.1", PATIENCE);
}

#[test]
fn servers_struck_at_random_for_long_deploy_everything_once() {
    let Ok(size) = std::env::var("DRYDOCK_CHAOS") else {
        eprintln!("skipped: DRYDOCK_CHAOS=200,100 is not set");
        return;
    };
    let (nodes, signals) = size.split_once(',').expect("DRYDOCK_CHAOS=NODES,SIGNALS");
    let count = |text: &str| text.trim().parse().expect("DRYDOCK_CHAOS=NODES,SIGNALS");
    chaos(count(nodes), count(signals), "0.4", 10 * PATIENCE);
}
