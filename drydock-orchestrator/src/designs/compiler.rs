//! Sources to compiled designs, each content once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use drydock_design::rules::Options;
use drydock_design::{digest, judge};
use drydock_model::design::Document;
use drydock_model::finding::Finding;
use drydock_model::id::Digest;
use drydock_model::ingest::{Ingester, Source};
use tokio::sync::Mutex as Turn;

use super::cache::Cache;
use super::{CompiledSite, DesignError, weight};

/// Memory that compiled designs may hold together, unless the operator says otherwise: 256 MiB. `cargo xtask bench design` tells what one takes:
/// of 1,000 nodes, 24 MB with all that it takes to compile it.
pub const CACHE_BYTES: usize = 256 << 20;

/// Reads, compiles and checks designs, and keeps what came of it.
pub struct Compiler {
    ingester: Arc<dyn Ingester>,
    rules: Arc<Options>,
    cache: Mutex<Cache>,
    turn: Turn<()>,
}

impl Compiler {
    /// One that reads by this ingester.
    pub fn new(ingester: Arc<dyn Ingester>) -> Self {
        Compiler {
            ingester,
            rules: Arc::default(),
            cache: Mutex::new(Cache::new(CACHE_BYTES)),
            turn: Turn::new(()),
        }
    }

    /// Judges by these options.
    #[must_use]
    pub fn with_rules(mut self, options: Options) -> Self {
        self.rules = Arc::new(options);
        self
    }

    /// By what it judges.
    pub(super) fn rules(&self) -> &Options {
        &self.rules
    }

    /// Keeps designs of so many bytes together, by an estimate; 0: none.
    #[must_use]
    pub fn with_cache_bytes(mut self, bytes: usize) -> Self {
        self.cache = Mutex::new(Cache::new(bytes));
        self
    }

    /// What these sources are, or what is known of the same content. The texts are compared, which takes a tenth of the time that their digest takes.
    ///
    /// # Errors
    /// [`DesignError::Unreadable`] when a document cannot be taken: its findings, and those of the rules over the others.
    pub async fn compile(&self, sources: Vec<Source>) -> Result<Arc<CompiledSite>, DesignError> {
        if let Some(site) = self.same(&sources) {
            return Ok(site);
        }
        let _turn = self.turn.lock().await;
        if let Some(site) = self.same(&sources) {
            return Ok(site);
        }
        self.build(None, sources).await
    }

    /// The design of this digest; `load` gives its sources when it is not known.
    ///
    /// # Errors
    /// Those of `load`, and as [`Compiler::compile`].
    pub(super) async fn pinned<F>(
        &self,
        digest: &Digest,
        load: impl FnOnce() -> F,
    ) -> Result<Arc<CompiledSite>, DesignError>
    where
        F: Future<Output = Result<Vec<Source>, DesignError>>,
    {
        if let Some(site) = self.cache().get(digest) {
            return Ok(site);
        }
        // One at a time: a thousand steps that begin at once ask for the same design.
        let _turn = self.turn.lock().await;
        if let Some(site) = self.cache().get(digest) {
            return Ok(site);
        }
        self.build(Some(digest.clone()), load().await?).await
    }

    /// Reads sources without compiling them.
    ///
    /// # Errors
    /// The findings.
    pub(super) fn ingest(&self, sources: &[Source]) -> Result<Vec<Document>, Vec<Finding>> {
        self.ingester.ingest(sources)
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of the same texts under the same names, since findings name sources.
    fn same(&self, sources: &[Source]) -> Option<Arc<CompiledSite>> {
        let alike = self.cache().alike(sources);
        let site = alike.into_iter().find(|site| site.sources == sources)?;
        // That it was used; it may have been put out meanwhile.
        let _ = self.cache().get(&site.digest);
        Some(site)
    }

    /// Under the digest that a task was pinned to, where there is one: it is the name that the task goes on asking by.
    async fn build(
        &self,
        pinned: Option<Digest>,
        sources: Vec<Source>,
    ) -> Result<Arc<CompiledSite>, DesignError> {
        let ingester = Arc::clone(&self.ingester);
        let rules = Arc::clone(&self.rules);
        let built = tokio::task::spawn_blocking(move || {
            let digest = pinned.unwrap_or_else(|| digest(&sources));
            build(&*ingester, &rules, digest, sources)
                .map(|site| (weight::of(&site), Arc::new(site)))
        });
        let (bytes, site) = match built.await {
            Ok(result) => result.map_err(DesignError::Unreadable)?,
            Err(error) => return Err(DesignError::Defect(error.to_string())),
        };
        self.cache().put(&site, bytes);
        Ok(site)
    }
}

fn build(
    ingester: &dyn Ingester,
    rules: &Options,
    digest: Digest,
    sources: Vec<Source>,
) -> Result<CompiledSite, Vec<Finding>> {
    let ingested = ingester.read(&sources);
    let (compiled, findings) = judge(&ingested, digest.clone(), rules);
    // Nothing may act on a part of a design, whatever the rules say to it.
    if !ingested.findings.is_empty() {
        return Err(findings);
    }
    Ok(CompiledSite {
        digest,
        sources,
        documents: ingested.documents,
        by_name: super::by_name(&compiled.design.nodes),
        design: Arc::new(compiled.design),
        findings,
    })
}

#[cfg(test)]
mod tests;
