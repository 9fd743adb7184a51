//! What POST, PATCH and DELETE do.

use serde_json::Value;

use super::answer::Reply;
use super::door::Asked;
use super::{Service, State};
use crate::faults::Etags;

/// Does what is asked for, or refuses it.
pub(super) fn write(
    service: &Service,
    asked: &Asked,
    path: &[&str],
    state: &mut State,
) -> Result<Reply, Reply> {
    let ways = service.ways();
    let row = ways.row;
    let others = service.others();
    let foreign = |id: &str| others.iter().any(|other| other == id);
    match (asked.method.as_str(), path) {
        ("POST", ["Systems", id, "Actions", "ComputerSystem.Reset"]) if *id == row.system => {
            service.reset(&asked.body, state)
        }
        ("POST", ["Systems", id, "Actions", "ComputerSystem.Reset"]) if foreign(id) => {
            Ok(Reply::new(204, None))
        }
        ("PATCH", ["Systems", id]) if foreign(id) => Ok(Reply::new(204, None)),
        ("PATCH", ["Systems", id]) if *id == row.system => {
            unchanged_since(service, asked, path, state)?;
            service.patch_boot(false, &asked.body, state)
        }
        ("PATCH", ["Systems", id, "Settings"]) if *id == row.system && ways.is.boot_on_settings => {
            unchanged_since(service, asked, path, state)?;
            service.patch_boot(true, &asked.body, state)
        }
        ("PATCH", ["Managers", id, "VirtualMedia", super::media::DRIVE]) if *id == row.manager => {
            unchanged_since(service, asked, path, state)?;
            service.patch_drive(&asked.body, state)
        }
        (
            "POST",
            [
                "Managers",
                id,
                "VirtualMedia",
                super::media::DRIVE,
                "Actions",
                action,
            ],
        ) if *id == row.manager && !ways.is.media_by_patch => match *action {
            "VirtualMedia.InsertMedia" => service.insert(&asked.body, state),
            "VirtualMedia.EjectMedia" => Ok(service.eject(state)),
            _ => Err(Reply::missing(&asked.path)),
        },
        ("DELETE", ["SessionService", "Sessions", id]) if !ways.is.no_sessions => {
            Ok(Service::log_out(id, state))
        }
        _ if service.read(path, state).is_some() => Err(Reply::refusal(
            405,
            "Base.1.18.OperationNotAllowed",
            "The HTTP method is not allowed on this resource.",
        )
        .with("Allow", service.allowed(path))),
        _ => Err(Reply::missing(&asked.path)),
    }
}

/// Checks `If-Match` against the resource as it is now (DSP0266 section 7.2).
fn unchanged_since(
    service: &Service,
    asked: &Asked,
    path: &[&str],
    state: &State,
) -> Result<(), Reply> {
    let etags = service.ways().is.etags;
    let Some(wanted) = &asked.if_match else {
        return if etags == Etags::Required {
            Err(Reply::refusal(
                428,
                "Base.1.18.PreconditionRequired",
                "A precondition header or annotation is required to change this resource.",
            ))
        } else {
            Ok(())
        };
    };
    let value = service.resource(path, state);
    let now = value
        .as_ref()
        .and_then(|value| value.get("@odata.etag"))
        .and_then(Value::as_str);
    let same = |now: &str| {
        wanted
            .split(',')
            .any(|one| matches!(one.trim(), "*") || one.trim().trim_start_matches("W/") == now)
    };
    if now.is_none_or(same) {
        return Ok(());
    }
    Err(Reply::refusal(
        412,
        "Base.1.18.PreconditionFailed",
        "The ETag supplied did not match the current ETag of the resource.",
    ))
}
