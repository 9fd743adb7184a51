//! What the node provisioner has to say to the rules: the images and kernels that it offers.

use std::sync::Arc;
use std::time::Duration;

use drydock_design::rules::{self, Offer, Options, Site};
use drydock_design::{Compiled, Gaps};
use drydock_model::clock::Clock;
use drydock_model::driver::NodeProvisioner;
use drydock_model::finding::{Finding, Level};
use tokio::sync::Mutex;

use super::CompiledSite;

/// The rule that asks.
const RULE: &str = "platform/selection";

/// How long an answer serves: images come and go by the hand of an operator, and an editor validates at every keystroke.
const SERVES: Duration = Duration::from_secs(30);

/// How long a provisioner that does not answer may hold up a validation.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks a provisioner what it offers, not more often than the answer can have changed.
pub(super) struct Offers {
    provisioner: Arc<dyn NodeProvisioner>,
    clock: Arc<dyn Clock>,
    known: Mutex<Option<Known>>,
}

struct Known {
    at: Duration,
    offer: Result<Arc<Offer>, String>,
}

impl Offers {
    pub(super) fn of(provisioner: Arc<dyn NodeProvisioner>, clock: Arc<dyn Clock>) -> Self {
        Offers {
            provisioner,
            clock,
            known: Mutex::new(None),
        }
    }

    /// The site's findings with what the rule says now that the provisioner was asked. They are not kept: the offer is no part of the design's
    /// content.
    pub(super) async fn judge(&self, site: &CompiledSite, options: &Options) -> Vec<Finding> {
        let asked = self.ask().await;
        let said = match asked {
            Ok(offer) => said_of(site, options, &offer),
            Err(why) => unasked(site, options, &why),
        };
        let mut findings = Vec::with_capacity(site.findings.len() + said.len());
        let mut said = Some(said);
        for finding in &site.findings {
            if finding.rule == RULE {
                findings.extend(said.take().into_iter().flatten());
            } else {
                findings.push(finding.clone());
            }
        }
        findings
    }

    async fn ask(&self) -> Result<Arc<Offer>, String> {
        let mut known = self.known.lock().await;
        let now = self.clock.monotonic();
        if let Some(known) = known.as_ref().filter(|known| now < known.at + SERVES) {
            return known.offer.clone();
        }
        let offer = tokio::select! {
            answer = self.provisioner.images() => answer.map(Arc::new).map_err(|error| error.to_string()),
            () = self.clock.sleep(PATIENCE) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
        };
        *known = Some(Known {
            at: self.clock.monotonic(),
            offer: offer.clone(),
        });
        offer
    }
}

/// What the rule says of a site, given the offer.
fn said_of(site: &CompiledSite, options: &Options, offer: &Offer) -> Vec<Finding> {
    let options = Options {
        offered_images: Some(offer.clone()),
        ..options.clone()
    };
    // Nodes are shared, so this copies little.
    let compiled = Compiled {
        design: (*site.design).clone(),
        findings: Vec::new(),
        gaps: Gaps::default(),
    };
    let site = Site::with_options(&site.documents, &compiled, &options);
    rules::find(RULE).map_or_else(Vec::new, |rule| rule.run(&site))
}

/// That nobody could be asked is no fault of the design, but whoever validates ought to know. Where the rule has nothing to check, or is
/// switched off, nobody needs to know.
fn unasked(site: &CompiledSite, options: &Options, why: &str) -> Vec<Finding> {
    let told = site.findings.iter().filter(|finding| finding.rule == RULE);
    told.cloned()
        .map(|mut finding| {
            if !finding.diagnostic.is_empty() {
                if !options.levels.contains_key(RULE) {
                    finding.level = Level::Warning;
                }
                finding.message = format!("images and kernels are not checked: {why}");
                finding.diagnostic = "see to it that the node provisioner answers".to_owned();
            }
            finding
        })
        .collect()
}
