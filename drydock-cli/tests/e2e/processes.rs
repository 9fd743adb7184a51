//! Starting, asking and stopping the binary. Whatever a test starts ends with the test.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// Longest wait for anything. Generous: the machine may be busy with other tests.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A design of the repository's examples.
pub fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../examples")
        .join(name)
}

/// The binary, with nothing of the caller's environment that could change its settings.
pub fn drydock() -> Command {
    clean(env!("CARGO_BIN_EXE_drydock"))
}

fn clean(program: &str) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars() {
        if name.starts_with("DRYDOCK_") {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null());
    command
}

/// Runs the binary to its end.
pub fn run<S: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = S>) -> Output {
    drydock().args(arguments).output().expect("the binary runs")
}

/// Everything a process said.
pub fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// Waits for a condition.
pub fn until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(
            started.elapsed() < PATIENCE,
            "waited {PATIENCE:?} for {what}"
        );
        // Not a delay that something depends on: only how often to look.
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// SIGCONT. It may have ended in between.
pub fn go_on(pid: nix::unistd::Pid) {
    let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGCONT);
}

/// A process that ends with its owner.
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    fn start(mut command: Command, log: PathBuf) -> Self {
        let out = std::fs::File::create(&log).expect("a log file");
        let err = out.try_clone().expect("a log file");
        let child = command
            .stdout(out)
            .stderr(err)
            .spawn()
            .expect("the binary starts");
        Process { child, log }
    }

    /// SIGKILL: no chance to say anything.
    pub fn kill(mut self) {
        self.child.kill().expect("a process to kill");
        self.child.wait().expect("a killed process");
    }

    /// SIGTERM, and its exit code.
    pub fn terminate(mut self) -> Option<i32> {
        self.signal(nix::sys::signal::Signal::SIGTERM);
        let ended = until("the process to end", || {
            self.child.try_wait().expect("a process")
        });
        ended.code()
    }

    /// Its process id.
    pub fn pid(&self) -> nix::unistd::Pid {
        nix::unistd::Pid::from_raw(i32::try_from(self.child.id()).expect("a pid"))
    }

    /// SIGSTOP: nothing of it goes on until it is continued, or killed.
    pub fn stop(&self) {
        self.signal(nix::sys::signal::Signal::SIGSTOP);
    }

    fn signal(&self, signal: nix::sys::signal::Signal) {
        nix::sys::signal::kill(self.pid(), signal).expect("a process to tell");
    }

    /// What it has said so far.
    pub fn output(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The exit code, once it has ended.
    pub fn ended(&mut self) -> Option<i32> {
        self.child
            .try_wait()
            .expect("a process")
            .and_then(|status| status.code())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("---- {}\n{}", self.log.display(), self.output());
        }
    }
}

/// A simulated site and a folder for whatever belongs to it.
pub struct Site {
    pub folder: TempDir,
    pub design: PathBuf,
    sim: Process,
    /// Base URL that the machines call back and that servers listen on.
    pub url: String,
    control: String,
    servers: usize,
    /// A program, with its arguments, that starts the servers.
    pub wrapped: Vec<String>,
}

impl Site {
    /// Simulators of an example design.
    pub fn new(design: &str, time_scale: &str, faults: Option<&str>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let design = example(design);
        let url = format!("http://127.0.0.1:{}", free_port());
        let config = folder.path().join("drydock.yaml");
        let mut command = drydock();
        command
            .arg("sim")
            .arg(&design)
            .args(["--time-scale", time_scale, "--callback", &url])
            .arg("--write-config")
            .arg(&config);
        if let Some(faults) = faults {
            command.args(["--faults", faults]);
        }
        let mut sim = Process::start(command, folder.path().join("sim.log"));
        until("the simulators", || {
            assert_eq!(sim.ended(), None, "the simulators ended:\n{}", sim.output());
            config.is_file().then_some(())
        });
        let control = until("the simulators' control", || {
            let output = sim.output();
            let line = output.lines().find(|line| line.contains("/_sim/log"))?;
            let from = line.find("http://")?;
            line[from..].split("/_sim/").next().map(str::to_owned)
        });
        Site {
            folder,
            design,
            sim,
            url,
            control,
            servers: 0,
            wrapped: Vec::new(),
        }
    }

    /// The port of the simulated controllers: 623 unless the settings made for the server say otherwise.
    pub fn bmc_port(&self) -> u16 {
        let config =
            std::fs::read_to_string(self.folder.path().join("drydock.yaml")).expect("settings");
        let line = config
            .lines()
            .find_map(|line| line.trim().strip_prefix("port: ").map(str::to_owned));
        line.map_or(623, |port| port.parse().expect("a port"))
    }

    /// A server of this site; `settings` as `--set` takes them.
    pub fn serve(&mut self, settings: &[&str]) -> Process {
        let url = self.url.clone();
        self.serve_at(&url, settings)
    }

    /// A further server, on a port of its own; its base URL.
    pub fn serve_beside(&mut self, settings: &[&str]) -> (Process, String) {
        let url = format!("http://127.0.0.1:{}", free_port());
        (self.serve_at(&url, settings), url)
    }

    /// A server at this base URL.
    pub fn serve_at(&mut self, url: &str, settings: &[&str]) -> Process {
        let server = self.launch(url.trim_start_matches("http://"), settings);
        self.wait_for(url, &server);
        server
    }

    fn launch(&mut self, listen: &str, settings: &[&str]) -> Process {
        self.servers += 1;
        let database = format!(
            "database.url=sqlite://{}",
            self.folder.path().join("drydock.db").display()
        );
        let mut command = match self.wrapped.as_slice() {
            [] => drydock(),
            [program, arguments @ ..] => {
                let mut command = clean(program);
                command.args(arguments).arg(env!("CARGO_BIN_EXE_drydock"));
                command
            }
        };
        command
            .arg("serve")
            .arg("--config")
            .arg(self.folder.path().join("drydock.yaml"));
        // A dead server is found out quickly, so that the tests are about what happens then.
        let quick = [
            "leader.grace_period=1200ms",
            "leader.claim_interval=200ms",
            "leader.clock_skew=200ms",
            "engine.heartbeat=100ms",
        ];
        for setting in [
            &format!("api.listen={listen}"),
            &format!("api.public_url={}", self.url),
            &database,
        ] {
            command.args(["--set", setting]);
        }
        for setting in quick.iter().chain(settings) {
            command.args(["--set", setting]);
        }
        Process::start(
            command,
            self.folder
                .path()
                .join(format!("serve-{}.log", self.servers)),
        )
    }

    fn wait_for(&self, url: &str, server: &Process) {
        until("the server", || {
            let output = server.output();
            output
                .contains(&format!("drydock listens on {url}"))
                .then_some(())
        });
    }

    /// A client command against this site's server.
    pub fn client(&self, arguments: &[&str]) -> Output {
        run(["--url", &self.url].iter().chain(arguments))
    }

    /// A client command in the background.
    pub fn client_beside(&self, arguments: &[&str]) -> Process {
        let mut command = drydock();
        command.args(["--url", &self.url]).args(arguments);
        Process::start(command, self.folder.path().join("client.log"))
    }

    /// Uploads the design; its reference.
    pub fn upload(&self) -> String {
        let output = self.client(&["design", "upload", &self.design.display().to_string()]);
        assert!(output.status.success(), "{}", said(&output));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Starts a task without waiting; its id.
    pub fn begin(&self, action: &str, design_ref: &str) -> String {
        let output = self.client(&[
            "task", "create", "-a", action, "-d", design_ref, "-o", "json",
        ]);
        assert!(output.status.success(), "{}", said(&output));
        let task: Value = serde_json::from_slice(&output.stdout).expect("a task");
        task["task_id"].as_str().expect("an id").to_owned()
    }

    /// Waits for a task; exit code and the task.
    pub fn end(&self, id: &str) -> (Option<i32>, Value) {
        let output = self.client(&[
            "task",
            "show",
            id,
            "--wait",
            "--timeout",
            "110",
            "-o",
            "json",
        ]);
        let task = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", said(&output)));
        (output.status.code(), task)
    }

    /// Runs a task that has to succeed.
    pub fn succeed(&self, action: &str, design_ref: &str) -> Value {
        let (code, task) = self.end(&self.begin(action, design_ref));
        assert_eq!(code, Some(0), "{action}: {task:#}");
        task
    }

    /// What was done to the simulated world.
    pub fn calls(&self) -> Vec<Value> {
        let body = http("GET", &format!("{}/_sim/log?since=0", self.control), None);
        let value: Value =
            serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {body}"));
        match value {
            Value::Array(entries) => entries,
            other => other["entries"]
                .as_array()
                .cloned()
                .unwrap_or_else(|| panic!("no entries: {other}")),
        }
    }

    /// Replaces the simulators' faults.
    pub fn faults(&self, faults: &str) {
        http(
            "PUT",
            &format!("{}/_sim/faults", self.control),
            Some(faults),
        );
    }

    /// Machines call back where the clients talk to now.
    pub fn call_back_here(&self) {
        let body = serde_json::json!({ "url": format!("{}/api/v1.0", self.url) });
        http(
            "PUT",
            &format!("{}/_sim/callback", self.control),
            Some(&body.to_string()),
        );
    }

    /// Waits until something has been done to the simulated world.
    pub fn until_called(&self, what: &str, wanted: impl Fn(&Value) -> bool) {
        until(what, || self.calls().iter().any(&wanted).then_some(()));
    }

    /// How often a controller was told this by whoever drives the site, by machine.
    pub fn told(&self, command: &str) -> Vec<(String, usize)> {
        let mut counts: Vec<(String, usize)> = Vec::new();
        for call in self.calls() {
            if call["kind"] == "bmc" && call["origin"] == "bmc" && call["command"] == command {
                let machine = call["machine"].as_str().unwrap_or_default().to_owned();
                match counts.iter_mut().find(|(name, _)| *name == machine) {
                    Some((_, count)) => *count += 1,
                    None => counts.push((machine, 1)),
                }
            }
        }
        counts.sort();
        counts
    }

    /// Requests to MaaS with this operation that it carried out, by path.
    pub fn asked(&self, op: &str) -> Vec<String> {
        let done = |call: &Value| {
            call["kind"] == "maas"
                && call["op"] == op
                && call["status"].as_u64().is_some_and(|status| status < 300)
        };
        let mut paths: Vec<_> = self
            .calls()
            .iter()
            .filter(|call| done(call))
            .map(|call| call["path"].as_str().unwrap_or_default().to_owned())
            .collect();
        paths.sort();
        paths
    }

    /// The simulators are still there.
    pub fn check(&mut self) {
        assert_eq!(self.sim.ended(), None, "the simulators ended");
    }
}

/// One HTTP request by curl-like means: the tests are processes outside of the product. The body of a good answer.
pub fn http(method: &str, url: &str, body: Option<&str>) -> String {
    let answer = answer(method, url, body);
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    assert!(head.starts_with("HTTP/1.1 2"), "{method} {url}: {answer}");
    if head
        .to_ascii_lowercase()
        .contains("transfer-encoding: chunked")
    {
        unchunk(body)
    } else {
        body.to_owned()
    }
}

/// As [`http`]; the whole answer, whatever it is.
pub fn answer(method: &str, url: &str, body: Option<&str>) -> String {
    use std::io::{Read, Write};
    let rest = url.trim_start_matches("http://");
    let (authority, path) = rest.split_once('/').expect("a path");
    let mut stream = std::net::TcpStream::connect(authority).expect("a listener");
    let body = body.unwrap_or("");
    let request = format!(
        "{method} /{path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).expect("a request");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    String::from_utf8_lossy(&answer).into_owned()
}

fn unchunk(body: &str) -> String {
    let (mut rest, mut whole) = (body, String::new());
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).expect("a chunk size");
        if size == 0 {
            break;
        }
        whole.push_str(&after[..size]);
        rest = after[size..].trim_start_matches("\r\n");
    }
    whole
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}
