//! Designs are compiled once, kept within the bound, and weighed about right.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use drydock_ingester::DesignIngester;
use drydock_model::ingest::{Format, Ingested};

use super::*;

/// Reads, and counts how often.
#[derive(Default)]
struct Counting(AtomicUsize);

impl Ingester for Counting {
    fn read(&self, sources: &[Source]) -> Ingested {
        self.0.fetch_add(1, Ordering::SeqCst);
        DesignIngester::default().read(sources)
    }
}

struct Bench {
    reader: Arc<Counting>,
    compiler: Compiler,
}

impl Bench {
    fn new(bytes: usize) -> Self {
        let reader = Arc::new(Counting::default());
        let compiler = Compiler::new(reader.clone()).with_cache_bytes(bytes);
        Bench { reader, compiler }
    }

    async fn compile(&self, source: &Source) -> Arc<CompiledSite> {
        self.compiler.compile(vec![source.clone()]).await.unwrap()
    }

    fn read(&self) -> usize {
        self.reader.0.load(Ordering::SeqCst)
    }
}

fn example(name: &str) -> Source {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/designs");
    Source {
        name: name.into(),
        format: Format::Auto,
        text: fs::read_to_string(folder.join(name)).unwrap(),
        without: Vec::new(),
    }
}

async fn weight_of(source: &Source) -> usize {
    weight::of(&*Bench::new(0).compile(source).await)
}

#[tokio::test]
async fn a_document_that_cannot_be_read_refuses_the_design_and_hides_no_finding() {
    let mut source = example("fullsite-yaml-faulty.yaml");
    source.text.push_str(
        "---\napiVersion: drydock/v1\nkind: BootAction\nmetadata: {name: x}\nspec: {asets: []}\n",
    );
    let outcome = Bench::new(0).compiler.compile(vec![source]).await;
    let Err(DesignError::Unreadable(findings)) = outcome else {
        panic!("the design is taken");
    };
    for rule in ["document/schema", "network/allowed"] {
        let mut errors = findings
            .iter()
            .filter(|finding| finding.level == drydock_model::finding::Level::Error);
        assert!(errors.any(|finding| finding.rule == rule), "{rule}");
    }
}

#[tokio::test]
async fn the_same_texts_are_compiled_once() {
    let bench = Bench::new(CACHE_BYTES);
    let source = example("seaworthy.yaml");
    let first = bench.compile(&source).await;
    assert!(Arc::ptr_eq(&first, &bench.compile(&source).await));
    let pinned = bench
        .compiler
        .pinned(&first.digest, || async { Ok(Vec::new()) });
    assert!(Arc::ptr_eq(&first, &pinned.await.unwrap()));
    assert_eq!(bench.read(), 1);
}

#[tokio::test]
async fn another_name_or_one_other_letter_is_another_design() {
    let bench = Bench::new(CACHE_BYTES);
    let source = example("seaworthy.yaml");
    let first = bench.compile(&source).await;
    let elsewhere = Source {
        name: "elsewhere".into(),
        ..source.clone()
    };
    let second = bench.compile(&elsewhere).await;
    let located = |site: &CompiledSite| site.findings.iter().find_map(|f| f.location.clone());
    assert_eq!(&*located(&second).unwrap().source, "elsewhere");
    assert_eq!(first.digest, second.digest);
    // The last letter of a comment at the end: as long as before.
    let mut changed = source.clone();
    changed.text.push_str("# a");
    let with_a = bench.compile(&changed).await;
    changed.text.pop();
    changed.text.push('b');
    let with_b = bench.compile(&changed).await;
    assert_ne!(with_a.digest, with_b.digest);
    assert_eq!(bench.read(), 4);
}

#[tokio::test]
async fn the_least_recently_used_goes_first() {
    let names = ["seaworthy.yaml", "airsloop.yaml", "routedomain.yaml"];
    let [one, two, three] = names.map(example);
    let (a, b, c) = (
        weight_of(&one).await,
        weight_of(&two).await,
        weight_of(&three).await,
    );
    // Room for any two.
    let bench = Bench::new(a + b + c - 1 - [a, b, c].into_iter().min().unwrap() / 2);
    bench.compile(&one).await;
    bench.compile(&two).await;
    bench.compile(&one).await;
    assert_eq!(bench.read(), 2);
    bench.compile(&three).await;
    bench.compile(&one).await;
    bench.compile(&three).await;
    assert_eq!(bench.read(), 3, "the first and the third are kept");
    bench.compile(&two).await;
    assert_eq!(bench.read(), 4, "the second was put out");
}

#[tokio::test]
async fn one_that_does_not_fit_is_used_and_not_kept() {
    let source = example("seaworthy.yaml");
    let small = example("routedomain.yaml");
    let bench = Bench::new(weight_of(&source).await - 1);
    bench.compile(&small).await;
    let held = bench.compile(&source).await;
    assert!(!held.design.nodes.is_empty());
    // Whoever works with it and whoever asks meanwhile share it; and it put nothing out.
    assert!(Arc::ptr_eq(&held, &bench.compile(&source).await));
    bench.compile(&small).await;
    assert_eq!(bench.read(), 2);
    drop(held);
    bench.compile(&source).await;
    assert_eq!(bench.read(), 3);
}

#[tokio::test]
async fn what_is_asked_for_by_many_at_once_is_compiled_once() {
    let bench = Arc::new(Bench::new(0));
    let source = example("seaworthy.yaml");
    let held = bench.compile(&source).await;
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let (bench, source) = (Arc::clone(&bench), source.clone());
        asking.spawn(async move { bench.compile(&source).await });
    }
    for site in asking.join_all().await {
        assert!(Arc::ptr_eq(&held, &site));
    }
    assert_eq!(bench.read(), 1);
}

/// Memory of this process in use, in bytes (proc(5), `VmRSS`).
fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    let kibibytes: usize = line.trim().trim_end_matches(" kB").parse().unwrap();
    kibibytes * 1024
}

#[tokio::test]
async fn the_estimate_is_near_what_the_process_grows_by() {
    // Nothing is dropped meanwhile: what is free already would not show.
    let mut held = Vec::new();
    for name in ["airsloop.yaml", "fullsite-yaml.yaml", "seaworthy.yaml"] {
        let bench = Bench::new(0);
        let number = |number: usize| Source {
            name: format!("{name} {number}").into(),
            ..example(name)
        };
        // The first ones fill what the allocator keeps for later.
        for warm in 0..5 {
            bench.compile(&number(warm)).await;
        }
        let before = resident();
        let mut sites = Vec::new();
        for one in 0..60 {
            sites.push(bench.compile(&number(100 + one)).await);
        }
        let grown = resident() - before;
        let estimate: usize = sites.iter().map(|site| weight::of(site)).sum();
        assert!(
            (grown / 2..grown * 2).contains(&estimate),
            "{name}: grown by {grown}, estimated {estimate}"
        );
        held.push(sites);
    }
}
