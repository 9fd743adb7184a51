//! Boot resources: the operating systems the region can install.

use serde_json::{Value, json};

use super::region::Region;
use super::request::{Answer, Reply, Request, Verb};

/// A boot resource: one image with one kernel.
#[derive(Debug, Clone)]
pub(super) struct BootResource {
    id: u32,
    synced: bool,
    name: String,
    kernel: String,
}

/// An image that can be deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Image {
    pub(super) osystem: String,
    pub(super) series: String,
    pub(super) kernel: String,
}

const UBUNTU: [(&str, &str); 5] = [
    ("xenial", "16.04"),
    ("bionic", "18.04"),
    ("focal", "20.04"),
    ("jammy", "22.04"),
    ("noble", "24.04"),
];

/// The stock Ubuntu series with their general and hardware-enablement kernels, and the images the site adds.
pub(super) fn stock(extra: &[(String, Vec<String>)]) -> Vec<BootResource> {
    let mut all: Vec<BootResource> = Vec::new();
    let mut add = |synced: bool, name: String, kernel: String| {
        if !all
            .iter()
            .any(|known| known.name == name && known.kernel == kernel)
        {
            let id = u32::try_from(all.len()).unwrap_or(u32::MAX) + 1;
            all.push(BootResource {
                id,
                synced,
                name,
                kernel,
            });
        }
    };
    for (series, release) in UBUNTU {
        for kernel in ["ga", "hwe"] {
            add(
                true,
                format!("ubuntu/{series}"),
                format!("{kernel}-{release}"),
            );
        }
    }
    for (name, kernels) in extra {
        let stock = UBUNTU.iter().any(|(series, _)| series == name);
        let full = if stock {
            format!("ubuntu/{name}")
        } else {
            name.clone()
        };
        let generic = (!stock && kernels.is_empty()).then(|| "generic".to_owned());
        for kernel in kernels.iter().cloned().chain(generic) {
            add(stock, full.clone(), kernel);
        }
    }
    all
}

fn json_of(resource: &BootResource) -> Value {
    json!({
        "id": resource.id, "type": if resource.synced { "Synced" } else { "Uploaded" },
        "name": resource.name, "architecture": format!("amd64/{}", resource.kernel),
        "resource_uri": format!("/MAAS/api/2.0/boot-resources/{}/", resource.id),
        "last_deployed": null, "subarches": format!("generic,{}", resource.kernel),
    })
}

/// `boot-resources/` and `boot-resources/{id}/`.
pub(super) fn handle(region: &Region, request: &Request, path: &[&str]) -> Answer {
    match (request.verb, path, request.op.as_deref()) {
        (Verb::Get, [], Some("is_importing")) => Ok(Reply::json(json!(false))),
        (Verb::Get, [], None) => Ok(Reply::json(region.images.iter().map(json_of).collect())),
        (Verb::Get, [text], None) => region
            .images
            .iter()
            .find(|resource| text.parse() == Ok(resource.id))
            .map(|resource| Reply::json(json_of(resource)))
            .ok_or_else(|| Reply::missing("BootResource")),
        _ => Err(request.unrecognised()),
    }
}

/// The image a deployment asks for by `distro_series` and `hwe_kernel`; empty means jammy and its general kernel.
pub(super) fn choose(region: &Region, series: &str, kernel: &str) -> Result<Image, Reply> {
    let series = if series.is_empty() { "jammy" } else { series };
    let candidates = [series.to_owned(), format!("ubuntu/{series}")];
    let image = region
        .images
        .iter()
        .find(|resource| candidates.contains(&resource.name))
        .ok_or_else(|| {
            let mut known = vec!["''".to_owned()];
            for resource in &region.images {
                let quoted = format!("'{}'", resource.name);
                if !known.contains(&quoted) {
                    known.push(quoted);
                }
            }
            let why = format!(
                "'{series}' is not a valid distro_series.  It should be one of: {}.",
                known.join(", ")
            );
            Reply::invalid("distro_series", &why)
        })?;
    let has = |kernel: &str| {
        region
            .images
            .iter()
            .any(|resource| resource.name == image.name && resource.kernel == kernel)
    };
    let kernel = match kernel {
        "" | "generic" => &image.kernel,
        wanted if has(wanted) => wanted,
        wanted => {
            let why = format!(
                "{wanted} is not available for {} on amd64/generic.",
                image.name
            );
            return Err(Reply::invalid("hwe_kernel", &why));
        }
    };
    let (osystem, series) = image
        .name
        .split_once('/')
        .unwrap_or(("custom", &image.name));
    Ok(Image {
        osystem: osystem.to_owned(),
        series: series.to_owned(),
        kernel: kernel.to_owned(),
    })
}
