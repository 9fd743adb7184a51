//! `validate_node_services`: the region takes our credentials, has the images the design names, and a healthy rack.

use std::collections::{BTreeMap, BTreeSet};

use drydock_model::driver::{DriverError, StepContext, StepPlan};
use drydock_model::effective::EffectiveDesign;
use serde::{Deserialize, Serialize};

use super::client::Client;
use super::region::Region;
use super::resource::{ControllerResource, ImageResource, UserResource, VersionResource};

/// What a rack must run to boot machines. Other services come and go with releases.
const NEEDED: [&str; 4] = ["http", "dhcpd", "rackd", "tftp"];

/// What is looked at.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Seen {
    version: String,
    user: String,
    administrator: bool,
    importing: bool,
    images: Vec<Image>,
    racks: Vec<Rack>,
}

/// An image that MaaS offers: `ubuntu/jammy` for `amd64/ga-22.04`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Image {
    name: String,
    architecture: String,
}

impl Image {
    fn of(resource: ImageResource) -> Self {
        Image {
            name: resource.name,
            architecture: resource.architecture,
        }
    }
}

/// A rack and what is wrong with it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Rack {
    hostname: String,
    ailing: Vec<String>,
}

impl Rack {
    fn of(controller: &ControllerResource) -> Self {
        let ailing = NEEDED
            .iter()
            .filter_map(|needed| {
                match controller
                    .service_set
                    .iter()
                    .find(|service| service.name == *needed)
                {
                    // A service that is switched off on purpose (DHCP before any network needs it) is well.
                    Some(service) if matches!(service.status.as_str(), "running" | "off") => None,
                    Some(service) if service.status_info.is_empty() => {
                        Some(format!("{needed} is {}", service.status))
                    }
                    Some(service) => Some(format!(
                        "{needed} is {} ({})",
                        service.status, service.status_info
                    )),
                    None => Some(format!("{needed} is not listed")),
                }
            })
            .collect();
        Rack {
            hostname: controller.hostname.clone(),
            ailing,
        }
    }
}

/// Whether a rack can boot machines.
pub(crate) fn is_healthy(controller: &ControllerResource) -> bool {
    Rack::of(controller).ailing.is_empty()
}

/// The images that MaaS offers, by every name that a design may give them.
pub(crate) async fn images(
    client: &Client,
) -> Result<BTreeMap<String, BTreeSet<String>>, DriverError> {
    let resources: Vec<ImageResource> = client.get("boot-resources/").await?;
    let mut offered: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for resource in resources {
        let image = Image::of(resource);
        let kernel = kernel_of(&image).to_owned();
        for name in names_of(&image.name) {
            offered
                .entry(name.to_owned())
                .or_default()
                .insert(kernel.clone());
        }
    }
    Ok(offered)
}

pub(crate) async fn observe(region: &Region, _cx: &StepContext) -> Result<Seen, DriverError> {
    let client = &region.client;
    let version: VersionResource = client.get("version/").await?;
    let user: UserResource = client.get("users/?op=whoami").await?;
    let importing: bool = client.get("boot-resources/?op=is_importing").await?;
    let images: Vec<ImageResource> = client.get("boot-resources/").await?;
    let racks: Vec<ControllerResource> = client.get("rackcontrollers/").await?;
    Ok(Seen {
        version: version.version,
        user: user.username,
        administrator: user.is_superuser,
        importing,
        images: images.into_iter().map(Image::of).collect(),
        racks: racks.iter().map(Rack::of).collect(),
    })
}

pub(crate) fn plan(cx: &StepContext, seen: &Seen) -> StepPlan {
    let mut faults = Vec::new();
    if !seen.administrator {
        faults.push(format!(
            "user {} of the API key is no administrator, so it cannot commission or deploy",
            seen.user
        ));
    }
    if seen.importing {
        faults.push("MaaS is importing boot images".to_owned());
    }
    if seen.images.is_empty() {
        faults.push("MaaS has no boot images".to_owned());
    } else {
        faults.extend(missing_images(&cx.design, &seen.images));
    }
    if seen.racks.is_empty() {
        faults.push("MaaS has no rack controller".to_owned());
    } else if seen.racks.iter().all(|rack| !rack.ailing.is_empty()) {
        let racks: Vec<String> = seen
            .racks
            .iter()
            .map(|rack| format!("{}: {}", rack.hostname, rack.ailing.join(", ")))
            .collect();
        faults.push(format!(
            "no rack controller is healthy ({})",
            racks.join("; ")
        ));
    }
    if faults.is_empty() {
        return StepPlan::done(format!(
            "MaaS {} is usable as {}: {} boot images, {} rack controllers",
            seen.version,
            seen.user,
            seen.images.len(),
            seen.racks.len()
        ));
    }
    StepPlan::fail(DriverError::permanent(
        "validating the node provisioner",
        format!("MaaS {}", seen.version),
        faults.join("; "),
        "correct it in MaaS or in the design, then run verify_site again",
    ))
}

/// One fault for each (image, kernel) that MaaS does not offer, with the nodes that name it.
fn missing_images(design: &EffectiveDesign, images: &[Image]) -> Vec<String> {
    let mut wanted: BTreeSet<(&str, Option<&str>)> = BTreeSet::new();
    for node in &design.nodes {
        if let Some(image) = &node.platform.image {
            wanted.insert((
                image,
                node.platform
                    .kernel
                    .as_deref()
                    .filter(|kernel| !kernel.is_empty()),
            ));
        }
    }
    let mut faults = Vec::new();
    for (image, kernel) in wanted {
        let offered: Vec<&Image> = images
            .iter()
            .filter(|offer| is_image(&offer.name, image))
            .collect();
        let what = if offered.is_empty() {
            let names: BTreeSet<&str> = images.iter().map(|offer| offer.name.as_str()).collect();
            format!(
                "image {image:?} is not offered (offered are {})",
                list(names)
            )
        } else if let Some(kernel) = kernel
            && !offered.iter().any(|offer| kernel_of(offer) == kernel)
        {
            let names: BTreeSet<&str> = offered.iter().map(|offer| kernel_of(offer)).collect();
            format!(
                "kernel {kernel:?} is not offered for image {image:?} (offered are {})",
                list(names)
            )
        } else {
            continue;
        };
        let nodes = design
            .nodes
            .iter()
            .filter(|node| node.platform.image.as_deref() == Some(image))
            .filter(|node| {
                node.platform
                    .kernel
                    .as_deref()
                    .filter(|kernel| !kernel.is_empty())
                    == kernel
            })
            .map(|node| node.name.as_str());
        faults.push(format!("{what}; needed by {}", list(nodes)));
    }
    faults
}

/// A design says `jammy` or `ubuntu/jammy`; MaaS lists `ubuntu/jammy`, or `custom/name` as it was uploaded.
fn names_of(offered: &str) -> impl Iterator<Item = &str> {
    let series = offered.split_once('/').map(|(_, series)| series);
    std::iter::once(offered).chain(series)
}

fn is_image(offered: &str, wanted: &str) -> bool {
    names_of(offered).any(|name| name == wanted)
}

fn kernel_of(image: &Image) -> &str {
    image
        .architecture
        .split_once('/')
        .map_or("", |(_, kernel)| kernel)
}

fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use drydock_model::driver::Then;
    use drydock_model::step::StepAction;

    use super::*;
    use crate::maas::trial;

    fn seen() -> Seen {
        let image = |name: &str, architecture: &str| Image {
            name: name.into(),
            architecture: architecture.into(),
        };
        Seen {
            version: "3.4.10".into(),
            user: "admin".into(),
            administrator: true,
            importing: false,
            images: vec![
                image("ubuntu/jammy", "amd64/ga-22.04"),
                image("custom/mine", "amd64/generic"),
            ],
            racks: vec![Rack {
                hostname: "rack1".into(),
                ailing: Vec::new(),
            }],
        }
    }

    fn failure(image: &str, kernel: Option<&str>, seen: &Seen) -> Option<String> {
        let mut node = trial::node("n1");
        node.platform.image = Some(image.into());
        node.platform.kernel = kernel.map(str::to_owned);
        match plan(
            &trial::site_context(StepAction::ValidateNodeServices, vec![node]),
            seen,
        )
        .then
        {
            Then::Fail(error) => Some(error.got),
            _ => None,
        }
    }

    #[test]
    fn images_and_kernels_of_the_design_must_be_offered() {
        assert_eq!(failure("jammy", Some("ga-22.04"), &seen()), None);
        assert_eq!(failure("ubuntu/jammy", None, &seen()), None);
        assert_eq!(failure("mine", None, &seen()), None);
        let text = failure("xenial", Some("hwe-16.04"), &seen()).unwrap();
        assert!(text.contains("xenial") && text.contains("n1"), "{text}");
        let text = failure("jammy", Some("hwe-22.04"), &seen()).unwrap();
        assert!(
            text.contains("hwe-22.04") && text.contains("ga-22.04") && text.contains("n1"),
            "{text}"
        );
    }

    #[test]
    fn each_fault_of_the_region_is_named() {
        type Break = fn(&mut Seen);
        let cases: [(Break, &str); 5] = [
            (|seen| seen.importing = true, "importing"),
            (|seen| seen.images.clear(), "no boot images"),
            (|seen| seen.racks.clear(), "no rack controller"),
            (
                |seen| seen.racks[0].ailing.push("tftp is dead".into()),
                "tftp is dead",
            ),
            (|seen| seen.administrator = false, "no administrator"),
        ];
        for (spoil, word) in cases {
            let mut seen = seen();
            spoil(&mut seen);
            let text = failure("jammy", None, &seen).unwrap();
            assert!(text.contains(word), "{text}");
        }
    }

    #[test]
    fn a_service_off_is_well_and_one_missing_is_not() {
        let rack = |json: &str| serde_json::from_str::<ControllerResource>(json).unwrap();
        assert!(is_healthy(&rack(
            r#"{"system_id": "r", "service_set": [{"name": "http", "status": "running"}, {"name": "dhcpd", "status": "off"},
                {"name": "rackd", "status": "running"}, {"name": "tftp", "status": "running"}]}"#
        )));
        assert!(!is_healthy(&rack(
            r#"{"system_id": "r", "service_set": [{"name": "http", "status": "running"}]}"#
        )));
    }
}
