//! Designs as the engine and the API use them: resolved, read, compiled and checked once for each content.

mod cache;
mod compiler;
mod offer;
mod weight;

use std::fmt;
use std::sync::Arc;

use drydock_design::rules::Options;
use drydock_model::clock::Clock;
use drydock_model::design::Document;
use drydock_model::driver::NodeProvisioner;
use drydock_model::effective::{EffectiveDesign, Node};
use drydock_model::finding::{Finding, Level, told};
use drydock_model::id::{DesignId, Digest};
use drydock_model::ingest::{Format, Ingester, Source};
use drydock_model::reference::{ReferenceError, References};
use drydock_model::store::{Store, StoreError};

pub use compiler::{CACHE_BYTES, Compiler};
use offer::Offers;

/// A design that was read: its documents, what they mean, and what is wrong with it.
pub struct CompiledSite {
    /// Digest of the sources.
    pub digest: Digest,
    /// The sources.
    pub sources: Vec<Source>,
    /// The documents as designed.
    pub documents: Vec<Document>,
    /// What they mean.
    pub design: Arc<EffectiveDesign>,
    /// All findings of reading, compiling and of the rules.
    pub findings: Vec<Finding>,
    /// The places of its nodes, in the order of their names.
    by_name: Vec<usize>,
}

impl CompiledSite {
    /// The node of this name. Each step asks for its own: of ten thousand, without a walk through all.
    #[must_use]
    pub fn node(&self, name: &str) -> Option<&Arc<Node>> {
        let nodes = &self.design.nodes;
        let found = self
            .by_name
            .binary_search_by(|&place| nodes[place].name.as_str().cmp(name));
        nodes.get(self.by_name[found.ok()?])
    }

    /// The findings that forbid to act on it.
    pub fn errors(&self) -> impl Iterator<Item = &Finding> {
        self.findings
            .iter()
            .filter(|finding| finding.level == Level::Error)
    }

    /// Whether it may be acted on.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.errors().next().is_none()
    }
}

/// The places of nodes in the order of their names; of several with one name the first, as [`EffectiveDesign::node`] has it.
fn by_name(nodes: &[Arc<Node>]) -> Vec<usize> {
    let mut places: Vec<usize> = (0..nodes.len()).collect();
    places.sort_by_key(|&place| nodes[place].name.as_str());
    places.dedup_by_key(|place| nodes[*place].name.as_str());
    places
}

/// Why there is no design to work with.
#[derive(Debug)]
pub enum DesignError {
    /// The reference is not one we understand, is not allowed, or leads to nothing: the client's to mend.
    Reference(String),
    /// The reference leads to nothing right now.
    Unavailable(String),
    /// A text, or a document in it, could not be read: everything there is to say, what the rules find in the other documents included.
    Unreadable(Vec<Finding>),
    /// The compiler fell over this design: a defect of ours.
    Defect(String),
    /// The store failed.
    Store(StoreError),
}

impl fmt::Display for DesignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DesignError::Reference(text) | DesignError::Unavailable(text) => f.write_str(text),
            DesignError::Unreadable(findings) => {
                let errors = findings
                    .iter()
                    .filter(|finding| finding.level == Level::Error);
                write!(f, "the design cannot be read: {}", told(errors, "; "))
            }
            DesignError::Defect(text) => write!(
                f,
                "a defect of the server keeps it from compiling this design ({text}); its log has more"
            ),
            DesignError::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for DesignError {}

impl From<ReferenceError> for DesignError {
    fn from(error: ReferenceError) -> Self {
        match error.fault {
            drydock_model::reference::ReferenceFault::Unavailable => {
                DesignError::Unavailable(error.message)
            }
            _ => DesignError::Reference(error.message),
        }
    }
}

/// The designs, compiled once for each content and kept with a bound.
pub struct Designs {
    store: Arc<dyn Store>,
    references: Arc<dyn References>,
    compiler: Compiler,
    offers: Option<Offers>,
}

impl Designs {
    /// Over these parts.
    pub fn new(
        store: Arc<dyn Store>,
        ingester: Arc<dyn Ingester>,
        references: Arc<dyn References>,
    ) -> Self {
        Designs {
            store,
            references,
            compiler: Compiler::new(ingester),
            offers: None,
        }
    }

    /// Asks this provisioner which images and kernels there are ([`Designs::judge`]).
    #[must_use]
    pub fn with_provisioner(
        mut self,
        provisioner: Arc<dyn NodeProvisioner>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        self.offers = Some(Offers::of(provisioner, clock));
        self
    }

    /// Judges by these options: levels of rules, what the enabled drivers serve.
    #[must_use]
    pub fn with_rules(mut self, options: Options) -> Self {
        self.compiler = self.compiler.with_rules(options);
        self
    }

    /// Keeps compiled designs of so many bytes together; [`CACHE_BYTES`] unless this is called.
    #[must_use]
    pub fn with_cache_bytes(mut self, bytes: usize) -> Self {
        self.compiler = self.compiler.with_cache_bytes(bytes);
        self
    }

    /// Checks that a reference is one this server would follow, without following it.
    ///
    /// # Errors
    /// The sentence for the client.
    pub fn check(&self, design_ref: &str) -> Result<(), DesignError> {
        match design_ref.strip_prefix("design:") {
            Some(id) => parse_design_id(id).map(drop),
            None => self.references.check(design_ref).map_err(DesignError::from),
        }
    }

    /// What a reference leads to now.
    ///
    /// # Errors
    /// See [`DesignError`].
    pub async fn resolve(&self, design_ref: &str) -> Result<Arc<CompiledSite>, DesignError> {
        let sources = match design_ref.strip_prefix("design:") {
            Some(id) => {
                let id = parse_design_id(id)?;
                match self.store.design(id).await {
                    Ok(design) => design.sources,
                    Err(StoreError::NotFound) => {
                        return Err(DesignError::Reference(format!(
                            "there is no design {id} on this server; upload one with POST /designs"
                        )));
                    }
                    Err(error) => return Err(DesignError::Store(error)),
                }
            }
            None => {
                let bytes = self.references.fetch(design_ref).await?;
                let text = String::from_utf8(bytes).map_err(|_| {
                    DesignError::Reference(format!(
                        "{} is not UTF-8 text",
                        without_secrets(design_ref)
                    ))
                })?;
                vec![Source {
                    name: without_secrets(design_ref).into(),
                    format: Format::Auto,
                    text,
                    without: Vec::new(),
                }]
            }
        };
        self.compile(sources).await
    }

    /// The design a running task is pinned to.
    ///
    /// # Errors
    /// See [`DesignError`].
    pub async fn pinned(&self, digest: &Digest) -> Result<Arc<CompiledSite>, DesignError> {
        let load = || async {
            let sources = self.store.pinned(digest).await;
            sources.map_err(DesignError::Store)
        };
        self.compiler.pinned(digest, load).await
    }

    /// Reads, compiles and checks sources, or gives what is known of the same content.
    ///
    /// # Errors
    /// [`DesignError::Unreadable`] when a source is no design.
    pub async fn compile(&self, sources: Vec<Source>) -> Result<Arc<CompiledSite>, DesignError> {
        self.compiler.compile(sources).await
    }

    /// Everything there is to say about a design now: its findings, and what its node provisioner has to say to the images and kernels it wants.
    /// For whoever asks whether a design is good; what can be done with one is decided without, since the provisioner may be about to get
    /// its images.
    pub async fn judge(&self, site: &CompiledSite) -> Vec<Finding> {
        match &self.offers {
            Some(offers) => offers.judge(site, self.compiler.rules()).await,
            None => site.findings.clone(),
        }
    }

    /// Reads sources without compiling them, as an upload is checked.
    ///
    /// # Errors
    /// The findings.
    pub fn ingest(&self, sources: &[Source]) -> Result<Vec<Document>, Vec<Finding>> {
        self.compiler.ingest(sources)
    }
}

fn parse_design_id(text: &str) -> Result<DesignId, DesignError> {
    text.parse().map_err(|_| {
        DesignError::Reference(format!(
            "design:{text} does not name a design: a UUID must follow the colon"
        ))
    })
}

/// A URI without user info and query, which may hold secrets.
fn without_secrets(uri: &str) -> String {
    let cut = uri.split(['?', '#']).next().unwrap_or(uri);
    match cut.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest
                .split_once('/')
                .map_or((rest, None), |(authority, path)| (authority, Some(path)));
            let host = authority.rsplit('@').next().unwrap_or(authority);
            path.map_or_else(
                || format!("{scheme}://{host}"),
                |path| format!("{scheme}://{host}/{path}"),
            )
        }
        None => cut.to_owned(),
    }
}
