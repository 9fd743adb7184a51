//! Templates of boot actions, whatever they ask for: the server's renderers end, and the server goes on.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use drydock_ingester::DesignIngester;
use drydock_model::effective::PipelineSegment;
use drydock_model::ingest::{Format, Ingester, Source};
use drydock_orchestrator::boot::templates::{InProcess, TemplateError, Templates};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::processes::{Site, drydock, example, said, until};
use crate::sandbox::{Limits, Sandbox};

/// More than any honest template takes, also on a machine that compiles at the same time.
const AMPLE: Duration = Duration::from_secs(60);

/// A sandbox of the real program. Its memory tells its processes from those of other tests.
fn sandbox(memory_mib: u64, time: Duration, processes: usize) -> Sandbox {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_drydock"));
    let limits = Limits {
        memory_mib,
        time,
        processes,
    };
    Sandbox::new(program, limits)
}

fn context() -> Value {
    let network = json!({"ip": "10.0.0.1", "cidr": "10.0.0.0/24", "dns_suffix": "example.org"});
    json!({
        "node": {
            "hostname": "n1",
            "domain": "example.org",
            "tags": ["a"],
            "labels": {"role": "compute", "ünï": "y z"},
            "network": {"default": network, "calico": network, "lan": network},
            "interfaces": {"bond0": {"sriov": true, "vf_count": 4, "trustedmode": false}},
        },
        "action": {
            "action_id": "01J",
            "action_key": "secret-key",
            "report_url": "http://127.0.0.1:9000/",
            "design_ref": "deckhand+http://host/api?x=1&y=a b/ü~",
        },
    })
}

/// The children of this process that render with so much memory; those that are dead and not yet waited for have no memory and no words.
fn renderers(memory_mib: u64) -> BTreeSet<i32> {
    let own = format!("PPid:\t{}", std::process::id());
    let words = format!("template-worker\0--memory-mib\0{memory_mib}\0");
    let processes = std::fs::read_dir("/proc").expect("processes");
    processes
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| {
            let read = |what| std::fs::read_to_string(format!("/proc/{pid}/{what}"));
            read("status").is_ok_and(|status| status.lines().any(|line| line == own))
                && read("cmdline").is_ok_and(|line| line.contains(&words))
        })
        .collect()
}

/// Whether this is a process, if only a dead one that nobody has waited for.
fn is_there(pid: i32) -> bool {
    PathBuf::from(format!("/proc/{pid}")).exists()
}

async fn honest(sandbox: &Sandbox) {
    let rendered = sandbox.render("{{ node.hostname }}", &context()).await;
    assert_eq!(rendered.as_deref(), Ok("n1"));
}

fn repeated(first: &str, again: &str, last: &str) -> String {
    format!("{first}{}{last}", again.repeat(40))
}

#[tokio::test]
async fn what_asks_for_all_memory_is_refused_and_the_next_renders() {
    let sandbox = sandbox(301, AMPLE, 1);
    let texts = [
        (
            "{{ '{:>7841584730205061120}'.format(node.domain) }}".to_owned(),
            "301 MiB of memory",
        ),
        (
            repeated("{% set a = node.domain %}", "{% set a = a ~ a %}", "{{ a }}"),
            "301 MiB of memory",
        ),
        (
            repeated("{% set a = [1] %}", "{% set a = [a, a] %}", "{{ a }}"),
            "16777216 bytes",
        ),
        (
            "{{ node.domain | indent(10000000000) }}".to_owned(),
            "301 MiB of memory",
        ),
        (
            "{{ '%99999999999d' | format(1) }}".to_owned(),
            "301 MiB of memory",
        ),
        // Computed when it is compiled.
        (
            format!("{{{{ 'x' * 100000000{} }}}}", " ~ 'x' * 100000000".repeat(20)),
            "301 MiB of memory",
        ),
        // Beyond what can be addressed.
        (
            "{{ '{:>18446744073709551615}'.format(node.domain) }}".to_owned(),
            "boundless",
        ),
        // Falls apart by a call for each level.
        (
            "{% set n = namespace(a=[]) %}{% for i in range(90000) %}{% set n.a = [n.a] %}{% endfor %}".to_owned(),
            "nests too deep",
        ),
        (
            "{% for i in range(20) %}{{ 'x' * 1000000 }}{% endfor %}".to_owned(),
            "16777216 bytes",
        ),
        (
            "{% for a in range(9999) %}{% for b in range(9999) %}{{ a }}{% endfor %}{% endfor %}".to_owned(),
            "fuel",
        ),
        (
            "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}".to_owned(),
            "recursion",
        ),
        (" ".repeat((16 << 20) + 1), "16777217 bytes"),
    ];
    for (text, words) in texts {
        let begin: String = text.chars().take(60).collect();
        let TemplateError { message, transient } =
            sandbox.render(&text, &context()).await.expect_err(&begin);
        assert!(message.contains(words), "{begin}: {message}");
        assert!(!transient, "{begin}: {message}");
        assert!(!message.contains("secret-key") && !message.contains("example.org"));
        honest(&sandbox).await;
    }
    sandbox.stop().await;
    assert_eq!(renderers(301), BTreeSet::new());
}

#[tokio::test]
async fn what_never_ends_is_ended_and_the_next_renders() {
    let sandbox = sandbox(302, Duration::from_secs(3), 1);
    let counted = repeated(
        "{% set a = [1] %}",
        "{% set a = a + a %}",
        "{{ a | unique | length }}",
    );
    let written = repeated(
        "{% set a = [1] %}",
        "{% set a = [a, a] %}",
        "{{ a | string | length }}",
    );
    let late = "it takes longer than 3 s";
    // Which it is depends on how fast the machine is.
    let either = [late, "it needs more than 302 MiB of memory"];
    for (text, words) in [
        (&counted, &[late][..]),
        (&written, &either),
        (&counted, &[late]),
    ] {
        let error = sandbox
            .render(text, &context())
            .await
            .expect_err("an error");
        assert!(words.contains(&error.message.as_str()), "{error:?}");
        assert!(!error.transient);
        honest(&sandbox).await;
    }
    sandbox.stop().await;
    assert_eq!(renderers(302), BTreeSet::new());
}

#[tokio::test]
async fn published_templates_come_out_the_same_as_in_process() {
    let sandbox = sandbox(303, AMPLE, 2);
    let (mut rendered, mut all) = (0, 0);
    for name in [
        "lab.yaml",
        "designs/seaworthy.yaml",
        "designs/airsloop.yaml",
        "designs/fullsite-yaml.yaml",
    ] {
        let source = Source {
            name: name.into(),
            format: Format::Auto,
            text: std::fs::read_to_string(example(name)).expect("an example"),
            without: Vec::new(),
        };
        let sources = [source];
        let documents = DesignIngester::default()
            .ingest(&sources)
            .expect("a design");
        let compiled = drydock_design::compile(&documents, drydock_design::digest(&sources));
        let assets = compiled
            .design
            .boot_actions
            .iter()
            .flat_map(|action| &action.assets);
        let texts = assets.flat_map(|asset| {
            let is_template = |pipeline: &[_]| pipeline.contains(&PipelineSegment::Template);
            let data = asset
                .data
                .as_deref()
                .filter(|_| is_template(&asset.data_pipeline));
            let location = asset.location.as_deref();
            [
                data,
                location.filter(|_| is_template(&asset.location_pipeline)),
            ]
        });
        for text in texts.flatten() {
            let here = InProcess.render(text, &context()).await;
            let there = sandbox.render(text, &context()).await;
            assert_eq!(here, there, "{name}: {text}");
            all += 1;
            rendered += usize::from(there.is_ok());
        }
    }
    assert!(all >= 6 && rendered == all, "{rendered} of {all}");
    sandbox.stop().await;
}

#[tokio::test]
async fn a_killed_renderer_is_waited_for_and_replaced() {
    let sandbox = Arc::new(sandbox(304, AMPLE, 1));
    assert_eq!(renderers(304), BTreeSet::new(), "none before it is needed");
    honest(&sandbox).await;
    let first = *renderers(304).first().expect("a renderer");
    let environment = std::fs::read(format!("/proc/{first}/environ")).expect("an environment");
    assert_eq!(environment, b"", "nothing of the server's environment");
    kill(Pid::from_raw(first), Signal::SIGKILL).expect("a renderer to kill");
    // Nobody asks meanwhile: it is waited for all the same.
    tokio::task::spawn_blocking(move || {
        until("the dead to be waited for", || {
            (!is_there(first)).then_some(())
        });
    })
    .await
    .expect("an end");
    honest(&sandbox).await;
    let second = *renderers(304).first().expect("a renderer");
    assert_ne!(first, second);

    // While it renders.
    let endless = repeated(
        "{% set a = [1] %}",
        "{% set a = a + a %}",
        "{{ a | unique }}",
    );
    let asked = Arc::clone(&sandbox);
    let asking = tokio::spawn(async move { asked.render(&endless, &context()).await });
    tokio::task::spawn_blocking(move || {
        until("it to work", || {
            let stat = std::fs::read_to_string(format!("/proc/{second}/stat")).expect("a process");
            stat.contains(") R ").then_some(())
        });
    })
    .await
    .expect("a start");
    kill(Pid::from_raw(second), Signal::SIGKILL).expect("a renderer to kill");
    let error = asking.await.expect("an answer").expect_err("an error");
    assert!(
        error.transient && error.message.contains("killed"),
        "{error:?}"
    );
    honest(&sandbox).await;
    sandbox.stop().await;
    assert_eq!(renderers(304), BTreeSet::new());
    assert!(!is_there(first) && !is_there(second));
    let late = sandbox.render("x", &context()).await.expect_err("an error");
    assert!(
        late.transient && late.message.contains("stopping"),
        "{late:?}"
    );
}

#[tokio::test]
async fn many_at_once_share_few_processes() {
    let sandbox = Arc::new(sandbox(305, AMPLE, 2));
    let mut asking = tokio::task::JoinSet::new();
    for number in 0..60 {
        let sandbox = Arc::clone(&sandbox);
        asking.spawn(async move {
            let context = json!({"node": {"number": number}});
            let text = sandbox.render("{{ node.number }}", &context).await;
            assert_eq!(text, Ok(number.to_string()));
        });
    }
    while let Some(asked) = asking.join_next().await {
        asked.expect("a text");
        assert!(renderers(305).len() <= 2);
    }
    assert!(!renderers(305).is_empty());
    // Without a stop: they end with their owner.
    drop(sandbox);
    tokio::task::spawn_blocking(move || {
        until("the renderers to end", || {
            renderers(305).is_empty().then_some(())
        });
    })
    .await
    .expect("an end");
}

#[tokio::test]
async fn a_program_that_is_none_is_no_fault_of_the_template() {
    let limits = Limits {
        processes: 1,
        ..Limits::SERVER
    };
    for program in ["/nowhere/drydock", "/bin/true"] {
        let sandbox = Sandbox::new(program.into(), limits);
        let error = sandbox.render("x", &context()).await.expect_err("an error");
        assert!(error.transient, "{error:?}");
        assert!(
            error.message.contains("no renderer can be started"),
            "{error:?}"
        );
        sandbox.stop().await;
    }
}

#[test]
fn a_renderer_ends_with_its_input_and_is_not_for_people() {
    let mut child = drydock()
        .args([
            "template-worker",
            "--memory-mib",
            "64",
            "--cpu-seconds",
            "1",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a renderer");
    let mut ready = [0; 4];
    let output = child.stdout.as_mut().expect("its output");
    output.read_exact(&mut ready).expect("that it is ready");
    drop(child.stdin.take());
    assert!(child.wait().expect("its end").success());

    // Its server has died while it renders: nobody looks at the clock but the system.
    let mut child = drydock()
        .args([
            "template-worker",
            "--memory-mib",
            "512",
            "--cpu-seconds",
            "0",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("a renderer");
    let mut input = child.stdin.take().expect("its input");
    let endless = repeated(
        "{% set a = [1] %}",
        "{% set a = a + a %}",
        "{{ a | unique }}",
    );
    for frame in ["{}", &endless] {
        let length = u32::try_from(frame.len()).expect("a length");
        input
            .write_all(&length.to_le_bytes())
            .expect("a renderer that listens");
        input
            .write_all(frame.as_bytes())
            .expect("a renderer that listens");
    }
    drop(input);
    let status = child.wait().expect("its end");
    assert_eq!(status.signal(), Some(Signal::SIGXCPU as i32), "{status}");

    let help = drydock().arg("--help").output().expect("the help");
    assert!(!said(&help).contains("template-worker"), "{}", said(&help));
}

#[test]
fn a_design_that_asks_for_all_memory_costs_its_machine_and_no_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let design = folder.path().join("site.yaml");
    let mut text = std::fs::read_to_string(example("lab.yaml")).expect("the example");
    text.push_str(
        "---\nschema: drydock/BootAction/v1\nmetadata: {schema: metadata/Document/v1, name: bomb}\ndata:
  signaling: false
  node_filter: {filter_set_type: union, filter_set: [{filter_type: union, node_names: [worker1]}]}
  assets:
    - {type: file, path: /etc/bomb, permissions: '644', data_pipeline: [utf8_decode, template],
       data: \"{{ '{:>7841584730205061120}'.format(node.domain) }}\"}\n",
    );
    std::fs::write(&design, text).expect("a design");
    let mut site = Site::new(design.to_str().expect("a path"), "0", None);
    let server = site.serve(&[]);
    let design = site.upload();
    for action in ["prepare_site", "prepare_nodes"] {
        site.succeed(action, &design);
    }
    site.begin("deploy_nodes", &design);
    let called = |machine: &str, method: &str, status: std::ops::Range<u64>| {
        let (machine, method) = (machine.to_owned(), method.to_owned());
        move |call: &Value| {
            call["kind"] == "call_back"
                && call["machine"] == machine
                && call["method"] == method
                && call["status"]
                    .as_u64()
                    .is_some_and(|got| status.contains(&got))
        }
    };
    site.until_called("the refusal", called("worker1", "GET", 500..501));
    for machine in ["control", "worker2", "worker3"] {
        site.until_called("a report", called(machine, "POST", 200..300));
    }
    let log = server.output();
    assert!(
        log.contains("asset /etc/bomb: template: it needs more than 512 MiB of memory"),
        "{log}"
    );
    assert_eq!(server.terminate(), Some(0));
}
