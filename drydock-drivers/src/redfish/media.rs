//! Virtual media (DSP0268, VirtualMedia): an image that the machine sees in a drive.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::service::Service;
use super::system;
use super::trouble::{Trouble, without_userinfo};

const INSERT: &str = "#VirtualMedia.InsertMedia";
const EJECT: &str = "#VirtualMedia.EjectMedia";
/// First and longest pause between two looks at a drive.
const FIRST_LOOK: Duration = Duration::from_millis(200);
const LONGEST_LOOK: Duration = Duration::from_secs(5);

/// The image in the machine's drive, if there is one.
pub(super) async fn inserted(service: &Service, path: &str) -> Result<Option<String>, Trouble> {
    let drive = drive(service, path).await?;
    Ok(image(&drive).map(str::to_owned))
}

/// Puts an image into the machine's drive and reads it back. Another image is taken out first.
pub(super) async fn insert(
    service: &Service,
    path: &str,
    url: &str,
    patience: Duration,
) -> Result<(), Trouble> {
    let drive = drive(service, path).await?;
    match image(&drive) {
        Some(now) if is_image(now, url) => return Ok(()),
        Some(_) => take_out(service, &drive, patience).await?,
        None => {}
    }
    let whole = json!({"Image": url, "Inserted": true, "WriteProtected": true});
    if let Some(target) = drive["Actions"][INSERT]["target"].as_str() {
        let refused = match service.act(target, &whole).await {
            Err(Trouble::Refused(refusal)) if refusal.status == 400 => Some(refusal),
            outcome => {
                outcome?;
                None
            }
        };
        if refused.is_some() {
            // Some take no parameter but the image.
            service.act(target, &json!({"Image": url})).await?;
        }
    } else {
        // Lenovo's XCC has no such action (openstack/sushy, sushy/resources/manager/virtual_media.py).
        let change = json!({"Image": url, "Inserted": true});
        service.patch(id(&drive)?, &change).await?;
    }
    until(service, id(&drive)?, patience, |now| {
        now.is_some_and(|now| is_image(now, url))
    })
    .await
}

/// Takes the image out of the machine's drive; one that is empty is left alone.
pub(super) async fn eject(
    service: &Service,
    path: &str,
    patience: Duration,
) -> Result<(), Trouble> {
    let drive = drive(service, path).await?;
    if image(&drive).is_none() {
        return Ok(());
    }
    take_out(service, &drive, patience).await
}

async fn take_out(service: &Service, drive: &Value, patience: Duration) -> Result<(), Trouble> {
    if let Some(target) = drive["Actions"][EJECT]["target"].as_str() {
        service.act(target, &json!({})).await?;
    } else {
        let change = json!({"Image": null, "Inserted": false});
        service.patch(id(drive)?, &change).await?;
    }
    until(service, id(drive)?, patience, |now| now.is_none()).await
}

/// Reads the drive until it is so.
async fn until(
    service: &Service,
    drive: &str,
    patience: Duration,
    is_so: impl Fn(Option<&str>) -> bool,
) -> Result<(), Trouble> {
    let end = Instant::now() + patience;
    let mut pause = FIRST_LOOK;
    loop {
        let now = service.get(drive).await?;
        if is_so(image(&now)) {
            return Ok(());
        }
        if Instant::now() + pause >= end {
            let read = image(&now).map_or("an empty drive".to_owned(), |now| {
                format!("image {}", without_userinfo(now))
            });
            return Err(Trouble::NotHonoured(read));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_LOOK);
    }
}

/// Whether this is the image that was asked for. Some services keep user and password of its URL to themselves.
fn is_image(now: &str, wanted: &str) -> bool {
    now == wanted || now == without_userinfo(wanted)
}

/// The first drive for CDs or DVDs: of the system, else of one of its managers.
async fn drive(service: &Service, path: &str) -> Result<Value, Trouble> {
    let system = system::read(service, path).await?;
    if let Some(drive) = drive_of(service, &system.raw).await? {
        return Ok(drive);
    }
    for manager in managers(service, &system.raw).await? {
        let manager = service.get(&manager).await?;
        if let Some(drive) = drive_of(service, &manager).await? {
            return Ok(drive);
        }
    }
    Err(Trouble::Unsupported(
        "it has no virtual drive for CDs or DVDs".to_owned(),
    ))
}

async fn drive_of(service: &Service, owner: &Value) -> Result<Option<Value>, Trouble> {
    let Some(drives) = owner["VirtualMedia"]["@odata.id"].as_str() else {
        return Ok(None);
    };
    for member in service.members(drives).await? {
        let Some(path) = member["@odata.id"].as_str() else {
            continue;
        };
        let mut drive = service.get(path).await?;
        if takes_discs(&drive) {
            drive["@odata.id"] = json!(path);
            return Ok(Some(drive));
        }
    }
    Ok(None)
}

/// Paths of the managers of a system: those that it names, else all, where there is no other system that they could be of.
///
/// # Errors
/// That the system names none, and there are others: a manager may be another machine's.
pub(super) async fn managers(service: &Service, system: &Value) -> Result<Vec<String>, Trouble> {
    let named = references(&system["Links"]["ManagedBy"]);
    if !named.is_empty() {
        return Ok(named);
    }
    if !system::is_alone(service).await? {
        return Err(Trouble::Unsupported(
            "the service lists several systems, and the node's does not name its manager (Links.ManagedBy)"
                .to_owned(),
        ));
    }
    match service.root()["Managers"]["@odata.id"].as_str() {
        Some(all) => Ok(references(&Value::Array(service.members(all).await?))),
        None => Ok(Vec::new()),
    }
}

/// The paths in a list of references.
pub(super) fn references(list: &Value) -> Vec<String> {
    let all = list.as_array().map_or(&[][..], Vec::as_slice);
    all.iter()
        .filter_map(|it| it["@odata.id"].as_str())
        .map(str::to_owned)
        .collect()
}

pub(super) fn takes_discs(drive: &Value) -> bool {
    let kinds = drive["MediaTypes"].as_array();
    kinds.is_some_and(|kinds| kinds.iter().any(|kind| kind == "CD" || kind == "DVD"))
}

fn id(drive: &Value) -> Result<&str, Trouble> {
    drive["@odata.id"]
        .as_str()
        .ok_or_else(|| Trouble::Garbage("a drive without @odata.id".to_owned()))
}

/// What is in a drive. Supermicro's empty one is inserted and not connected (ansible-collections/community.general pull request 7470).
pub(super) fn image(drive: &Value) -> Option<&str> {
    let image = drive["Image"].as_str().filter(|image| !image.is_empty())?;
    let absent = drive["Inserted"] == false || drive["ConnectedVia"] == "NotConnected";
    (!absent).then_some(image)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_drive_is_known_in_all_its_forms() {
        let url = "http://127.0.0.1/x.iso";
        for (drive, full) in [
            (
                json!({"Image": url, "Inserted": true, "ConnectedVia": "URI"}),
                true,
            ),
            (json!({"Image": url}), true),
            (json!({"Image": url, "Inserted": false}), false),
            (
                json!({"Image": "", "Inserted": true, "ConnectedVia": "NotConnected"}),
                false,
            ),
            (
                json!({"Image": url, "Inserted": true, "ConnectedVia": "NotConnected"}),
                false,
            ),
            (json!({"Image": null}), false),
            (json!({}), false),
        ] {
            assert_eq!(image(&drive).is_some(), full, "{drive}");
        }
        assert!(takes_discs(&json!({"MediaTypes": ["USBStick", "DVD"]})));
        assert!(!takes_discs(&json!({"MediaTypes": ["USBStick"]})));
    }
}
