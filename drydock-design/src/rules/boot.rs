//! Boot actions.

use base64::Engine;
use drydock_model::design::Kind;
use drydock_model::effective::{Asset, PipelineSegment};
use drydock_model::finding::Level;

use super::{Rule, Site, from_compilation};
use crate::report::Report;
use crate::template;

/// A node filter says something; compilation looks what it selects.
pub(crate) static FILTER: Rule = Rule {
    id: "boot/filter",
    code: "DD5113",
    name: "Boot Action Node Filter",
    level: Level::Error,
    run: from_compilation,
};

/// Templates parse and name what exists.
pub(crate) static TEMPLATE: Rule = Rule {
    id: "boot/template",
    code: "DD5114",
    name: "Boot Action Templates",
    level: Level::Error,
    run: templates,
};

fn templates(rule: &Rule, site: &Site<'_>, report: &mut Report) {
    for action in &site.compiled.design.boot_actions {
        for (number, asset) in action.assets.iter().enumerate() {
            let checks = [("location", location(asset)), ("data", data(asset))];
            for (field, fault) in checks {
                let Err(fault) = fault else { continue };
                let number = number.to_string();
                let name = if asset.path.is_empty() {
                    number.as_str()
                } else {
                    asset.path.as_str()
                };
                let message = format!("BootAction {}: {field} of {name}: {fault}", action.name);
                let place = site.of(Kind::BootAction, &action.name, &["assets", name, field]);
                report.add(
                    rule,
                    message,
                    "correct the template, or its pipeline",
                    place,
                );
            }
        }
    }
}

fn location(asset: &Asset) -> Result<(), String> {
    match &asset.location {
        Some(location) if asset.location_pipeline.contains(&PipelineSegment::Template) => {
            template::check(location)
        }
        _ => Ok(()),
    }
}

/// Follows the pipeline up to its template, as far as that can be done without a node.
fn data(asset: &Asset) -> Result<(), String> {
    let Some(text) = asset
        .data
        .as_deref()
        .filter(|_| asset.data_pipeline.contains(&PipelineSegment::Template))
    else {
        return Ok(());
    };
    let mut bytes = text.as_bytes().to_vec();
    for segment in &asset.data_pipeline {
        match segment {
            PipelineSegment::Base64Decode => bytes = decode(&bytes)?,
            PipelineSegment::Base64Encode => {
                bytes = base64::engine::general_purpose::STANDARD
                    .encode(&bytes)
                    .into_bytes();
            }
            PipelineSegment::Utf8Decode | PipelineSegment::Utf8Encode => {}
            PipelineSegment::Template => {
                let text = str::from_utf8(&bytes)
                    .map_err(|error| format!("the template is not UTF-8: {error}"))?;
                return template::check(text);
            }
        }
    }
    Ok(())
}

/// Line breaks within base64 do not count (RFC 2045, section 6.8).
fn decode(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let compact: Vec<u8> = bytes
        .iter()
        .copied()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    base64::engine::general_purpose::STANDARD
        .decode(compact)
        .map_err(|error| format!("this is not base64: {error}"))
}
