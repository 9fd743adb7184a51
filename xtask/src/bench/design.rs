//! `cargo xtask bench design`: how long it takes to read, compile and judge a site, how long to do so again when nothing has changed, and
//! how much memory.
//!
//! `cargo xtask` itself is built without optimisation, so it starts itself again as a release build. The same by hand:
//! `cargo run --release -p xtask -- bench design --nodes 10000`.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Result, ensure};
use drydock_design::{compile, digest, validate};
use drydock_ingester::DesignIngester;
use drydock_model::finding::Level;
use drydock_model::ingest::{Format, Ingester, Source};
use drydock_orchestrator::designs::Compiler;
use serde_json::{Value, json};

use super::{Arguments, by_release_build, median, peak_rss_mb, site};
use crate::repository::Repository;

/// How often a site is read.
const RUNS: u32 = 7;

/// One run, in milliseconds.
struct Run {
    parse: f64,
    compile: f64,
    rules: f64,
}

/// Measures, or has the release build measure.
///
/// # Errors
/// The release build cannot be made, or the site that was made has faults.
pub(super) fn run(repository: &Repository, arguments: &Arguments) -> Result<Value> {
    let runs = arguments.runs.unwrap_or(RUNS);
    if cfg!(debug_assertions) {
        let (nodes, runs) = (arguments.nodes.to_string(), runs.to_string());
        return by_release_build(repository, &["design", "--nodes", &nodes, "--runs", &runs]);
    }
    let sources = sources(arguments.nodes);
    let bytes: usize = sources.iter().map(|source| source.text.len()).sum();
    let mut all = Vec::new();
    for number in 1..=runs {
        let run = measure(&sources, arguments.nodes)?;
        let Run {
            parse,
            compile,
            rules,
        } = run;
        eprintln!(
            "run {number} of {runs}: parse {parse:.1} ms, compile {compile:.1} ms, rules {rules:.1} ms"
        );
        all.push(run);
    }
    // Before the second time, which holds a design while others are made of copies of its texts.
    let peak = peak_rss_mb()?;
    let second = second(&sources, runs)?;
    let of = |field: fn(&Run) -> f64| {
        let median = median(&all.iter().map(field).collect::<Vec<_>>());
        (median * 100.0).round() / 100.0
    };
    Ok(json!({
        "benchmark": "design",
        "nodes": arguments.nodes,
        "bytes": bytes,
        "parse_ms": of(|run| run.parse),
        "compile_ms": of(|run| run.compile),
        "rules_ms": of(|run| run.rules),
        "total_ms": of(|run| run.parse + run.compile + run.rules),
        "second_ms": (median(&second) * 1000.0).round() / 1000.0,
        "peak_rss_mb": peak,
    }))
}

fn sources(nodes: u32) -> Vec<Source> {
    let source = |text| Source {
        name: "generated".into(),
        format: Format::Auto,
        text,
        without: Vec::new(),
    };
    site::texts(nodes).into_iter().map(source).collect()
}

/// Reads, compiles and judges once. What was made is dropped outside of the time, as a server keeps it.
fn measure(sources: &[Source], nodes: u32) -> Result<Run> {
    let since = |begin: Instant| begin.elapsed().as_secs_f64() * 1000.0;
    let begin = Instant::now();
    let documents = DesignIngester::default()
        .ingest(sources)
        .map_err(|findings| anyhow::anyhow!("the site cannot be read: {:?}", findings.first()))?;
    let parse = since(begin);

    let begin = Instant::now();
    let digest = digest(sources);
    let compiled = compile(&documents, digest);
    let compile = since(begin);

    let begin = Instant::now();
    let findings = validate(&documents, &compiled);
    let rules = since(begin);

    // A site with faults takes another path than the one to be measured.
    if let Some(fault) = findings
        .iter()
        .find(|finding| finding.level >= Level::Warning)
    {
        anyhow::bail!("the site that was made has a fault: {fault}");
    }
    ensure!(
        u32::try_from(compiled.design.nodes.len()) == Ok(nodes),
        "{} nodes were compiled, not {nodes}",
        compiled.design.nodes.len()
    );
    Ok(Run {
        parse,
        compile,
        rules,
    })
}

/// Validations of what is known already, in milliseconds each: as a server does them, with the texts at hand. Each has copies of the texts, since
/// comparing a text with itself would tell nothing.
fn second(sources: &[Source], runs: u32) -> Result<Vec<f64>> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let compiler = Compiler::new(Arc::new(DesignIngester::default())).with_cache_bytes(usize::MAX);
    runtime.block_on(async {
        let first = compiler.compile(sources.to_vec()).await?;
        let mut all = Vec::new();
        for _ in 0..runs {
            let again = sources.to_vec();
            let begin = Instant::now();
            let site = compiler.compile(again).await?;
            let valid = site.is_valid();
            all.push(begin.elapsed().as_secs_f64() * 1000.0);
            ensure!(
                valid && Arc::ptr_eq(&first, &site),
                "the same site was compiled again"
            );
        }
        Ok(all)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_site_that_is_made_is_sound_and_as_large_as_a_real_one() {
        for nodes in [1, 50] {
            measure(&sources(nodes), nodes).unwrap();
        }
        let length = |nodes| site::texts(nodes).concat().len();
        let added = length(1100) - length(1000);
        assert_eq!(site::texts(60_000).len(), 3);
        assert!((650..=750).contains(&(added / 100)), "{added}");
    }

    #[test]
    fn the_second_time_nothing_is_compiled() {
        assert_eq!(second(&sources(20), 3).unwrap().len(), 3);
    }

    #[test]
    fn memory_is_known() {
        assert!(peak_rss_mb().unwrap() > 1.0);
    }
}
