//! A simulated world shaped by a design, and the settings that point a server at it.

mod shape;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use drydock_model::effective::EffectiveDesign;
use drydock_model::finding::Level;
use drydock_sim::{Faults, Timing, World};
use ipnet::IpNet;
use secrecy::SecretString;

use crate::commands::finding;
use crate::exit::{Exit, Failure};
use crate::settings::{Settings, Span};
use crate::source;

pub use shape::{not_simulated, site_shape};

/// What even an unhurried loop waits: with a time scale of 0 a server still must not spin.
const LEAST_POLL: Duration = Duration::from_millis(20);

/// Reads and checks a design that is to be rehearsed.
///
/// # Errors
/// Its errors, each with file and line.
pub fn design(sources: &[drydock_model::ingest::Source]) -> Result<EffectiveDesign> {
    let read = source::compile(sources).map_err(|findings| {
        Failure::error(
            Exit::Failed,
            format!(
                "the design cannot be read:\n{}",
                finding::show_all(&findings, sources)
            ),
        )
    })?;
    let errors: Vec<_> = read
        .findings
        .iter()
        .filter(|finding| finding.level == Level::Error)
        .collect();
    if !errors.is_empty() {
        return Err(Failure::error(
            Exit::Failed,
            format!(
                "the design is refused, {} error(s):\n{}",
                errors.len(),
                finding::show_all(errors, sources)
            ),
        ));
    }
    Ok(read.compiled.design)
}

/// Faults as the command line writes them.
///
/// # Errors
/// When it is not the JSON expected.
pub fn faults(json: Option<&str>) -> Result<Faults> {
    json.map_or_else(
        || Ok(Faults::default()),
        |text| serde_json::from_str(text).context("--faults is not the JSON expected"),
    )
}

/// Starts the world of a design.
///
/// # Errors
/// What cannot be simulated: an out-of-band address off the loopback range, most of all.
pub async fn world(design: &EffectiveDesign, time_scale: f64, faults: Faults) -> Result<World> {
    if !time_scale.is_finite() || time_scale < 0.0 {
        bail!("--time-scale {time_scale}: 0 or a positive number is wanted");
    }
    World::start(site_shape(design), Timing { scale: time_scale }, faults)
        .await
        .context("the site cannot be simulated")
}

/// Settings for a server that is to live in this world: drivers, addresses, references; settle times, gaps and polls scaled.
#[must_use]
pub fn settings(world: &World, design: &EffectiveDesign, time_scale: f64) -> Settings {
    let mut settings = Settings::default();
    let scaled = |span: Span| span.scaled(time_scale.min(1.0));
    let polled = |span: Span| scaled(span).at_least(LEAST_POLL);
    settings.drivers.maas.url = Some(world.maas_url());
    settings.drivers.maas.api_key = Some(SecretString::from(world.maas_api_key()));
    settings.drivers.maas.poll_interval = polled(settings.drivers.maas.poll_interval);
    settings.drivers.allow_networks = Some(loopback());
    settings.oob.ipmi.port = world.bmc_port();
    settings.oob.ipmi.gap_floor = scaled(settings.oob.ipmi.gap_floor);
    settings.oob.ipmi.gap_ceiling = scaled(settings.oob.ipmi.gap_ceiling);
    settings.oob.ipmi.poll_interval = polled(settings.oob.ipmi.poll_interval);
    settings.oob.redfish.port = world.redfish_port();
    // The simulated controllers have certificates of their own making, as real ones are delivered with.
    settings.oob.redfish.insecure = true;
    settings.oob.redfish.gap_floor = scaled(settings.oob.redfish.gap_floor);
    settings.oob.redfish.gap_ceiling = scaled(settings.oob.redfish.gap_ceiling);
    settings.oob.redfish.poll_interval = polled(settings.oob.redfish.poll_interval);
    settings.oob.settle_after_reset = scaled(settings.oob.settle_after_reset);
    settings.engine.poll_interval = polled(settings.engine.poll_interval);
    settings.engine.retry_base = polled(settings.engine.retry_base);
    let stand_in = world.stand_in_addr().to_string();
    for (prefix, host) in referred(design) {
        settings.design.allow_refs.push(prefix);
        settings.references.map.insert(host, stand_in.clone());
    }
    settings
}

/// The part of rehearsal settings that differs from the defaults, as a settings file.
///
/// # Errors
/// When it cannot be written: a defect.
pub fn as_file(settings: &Settings, world: &World) -> Result<String> {
    let mut value = serde_json::to_value(settings)?;
    let default = serde_json::to_value(Settings::default())?;
    prune(&mut value, &default);
    // The simulator's own key, made up at its start: this file is how the server learns it.
    value["drivers"]["maas"]["api_key"] = world.maas_api_key().into();
    let mut text = String::from("# Points a Drydock server at a simulated world.\n");
    text.push_str(&drydock_ingester::to_yaml(&value).map_err(|error| anyhow::anyhow!(error))?);
    Ok(text)
}

fn prune(value: &mut serde_json::Value, default: &serde_json::Value) {
    if let (Some(entries), Some(defaults)) = (value.as_object_mut(), default.as_object()) {
        entries.retain(|key, inner| match defaults.get(key) {
            Some(same) if same == inner => false,
            Some(other) => {
                prune(inner, other);
                true
            }
            None => true,
        });
    }
}

fn loopback() -> Vec<IpNet> {
    ["127.0.0.0/8", "::1/128"]
        .iter()
        .filter_map(|text| text.parse().ok())
        .collect()
}

/// What boot actions of the design refer to: allow-list prefix and host.
fn referred(design: &EffectiveDesign) -> BTreeMap<String, String> {
    let locations = design
        .boot_actions
        .iter()
        .flat_map(|action| &action.assets)
        .filter_map(|asset| asset.location.as_deref());
    locations
        .filter_map(|location| {
            let (scheme, rest) = location.split_once("://")?;
            let authority = rest.split(['/', '?', '{']).next()?;
            let host_and_port = authority.rsplit('@').next()?;
            let host = host_and_port
                .rsplit_once(':')
                .map_or(host_and_port, |(host, _)| host);
            (!host.is_empty()).then(|| (format!("{scheme}://{host_and_port}"), host.to_owned()))
        })
        .collect()
}
