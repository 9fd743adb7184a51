//! Boot actions.

use std::collections::BTreeMap;

use drydock_model::design::{AssetData, AssetPart, Kind, Part};
use drydock_model::effective::{Asset, AssetKind, BootAction};

use super::read::Reader;
use crate::index::Index;
use crate::report::Report;

/// The boot actions in design order.
pub(super) fn compile(index: &Index<'_>, report: &mut Report) -> Vec<BootAction> {
    let mut actions = Vec::new();
    for document in index.of(Kind::BootAction) {
        let Part::BootAction(part) = &document.part else {
            continue;
        };
        let mut reader = Reader { document, report };
        let assets = part.assets.iter().flatten().enumerate();
        let assets = assets
            .filter_map(|(number, part)| asset(&mut reader, number, part))
            .collect();
        actions.push(BootAction {
            name: document.name.clone(),
            signaling: part.signaling.unwrap_or(true),
            node_filter: part.node_filter.clone(),
            assets,
        });
    }
    actions
}

fn asset(reader: &mut Reader<'_, '_>, number: usize, part: &AssetPart) -> Option<Asset> {
    let number = number.to_string();
    let path = |field| ["assets", number.as_str(), field];
    let packages = part.kind == AssetKind::PkgList;
    let target = if packages {
        part.path.clone().unwrap_or_default()
    } else {
        let target = reader.required(part.path.as_deref(), &path("path"))?;
        if !target.starts_with('/') || target.len() < 2 {
            reader.bad(
                &path("path"),
                format_args!("{target:?} is not an absolute path"),
                "begin it with a slash",
            );
            return None;
        }
        target
    };
    let (data, list) = match (&part.data, packages) {
        (Some(AssetData::Packages(list)), true) => (None, list.iter().cloned().collect()),
        (Some(AssetData::Text(_)), true) => {
            reader.bad(
                &path("data"),
                "a pkg_list takes a map of packages to versions",
                "write package: version",
            );
            return None;
        }
        (Some(AssetData::Packages(_)), false) => {
            reader.bad(
                &path("data"),
                "only a pkg_list takes a map",
                "write the data as a text",
            );
            return None;
        }
        (Some(AssetData::Text(text)), false) => (Some(text.clone()), BTreeMap::new()),
        (None, _) => (None, BTreeMap::new()),
    };
    if data.is_none() && part.location.is_none() && !packages {
        reader.bad(
            &["assets", &number],
            "the asset has neither data nor location",
            "set one of them",
        );
        return None;
    }
    if let Some(location) = part.location.as_deref()
        && !can_be_fetched(location)
    {
        let message = format_args!("{location:?} is not a location that can be fetched from");
        let advice = format!("begin it with {}", LOCATION_SCHEMES.join(", "));
        reader.bad(&path("location"), message, &advice);
        return None;
    }
    Some(Asset {
        kind: part.kind,
        path: target,
        permissions: permissions(reader, &path("permissions"), part.permissions.as_deref()),
        enabled: part.enabled,
        data,
        location: part.location.clone(),
        location_pipeline: part.location_pipeline.clone().unwrap_or_default(),
        data_pipeline: part.data_pipeline.clone().unwrap_or_default(),
        packages: list,
    })
}

/// What assets can be fetched by.
const LOCATION_SCHEMES: [&str; 7] = [
    "file:",
    "http:",
    "https:",
    "deckhand+http:",
    "deckhand+https:",
    "promenade+http:",
    "promenade+https:",
];

/// A scheme that is made by a template is not known before there is a node.
fn can_be_fetched(location: &str) -> bool {
    let location = location.trim().to_ascii_lowercase();
    let scheme = location.split_inclusive(':').next().unwrap_or_default();
    scheme.contains('{') || LOCATION_SCHEMES.contains(&scheme)
}

fn permissions(reader: &mut Reader<'_, '_>, path: &[&str], text: Option<&str>) -> Option<u32> {
    let text = text?;
    let digits = text.strip_prefix("0o").unwrap_or(text);
    match u32::from_str_radix(digits, 8) {
        Ok(mode) if mode <= 0o7777 => Some(mode),
        _ => {
            reader.bad(
                path,
                format_args!("{text:?} is not a mode"),
                "write octal digits, for instance '644'",
            );
            None
        }
    }
}
