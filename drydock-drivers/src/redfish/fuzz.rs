//! A door for fuzzing: any document that a service may answer with, through everything that reads one.

use std::hint::black_box;

use serde_json::Value;

use super::trouble::{Refusal, Trouble};
use super::{boot, inventory, media, quirks, service, system, wire};
use crate::oob::{Boot, BootDevice, Override};

const SYSTEM: &str = "/redfish/v1/Systems/1";

/// An answer: its status, in units of four from 100 on, and its body.
///
/// # Panics
/// When something that must hold for every document does not: a system that cannot be read, a form to send that is empty.
pub fn documents(bytes: &[u8]) {
    let Some((status, body)) = bytes.split_first() else {
        return;
    };
    let Ok(document) = serde_json::from_slice::<Value>(body) else {
        return;
    };
    refusal(100 + u16::from(*status) * 4, &document);
    system(&document);
    black_box(inventory::identity(&document, &document));
    black_box(inventory::description(&document));
    black_box(service::sessions_of(&document));
    black_box(service::progress(&document));
    black_box(media::takes_discs(&document));
    black_box(media::image(&document));
    black_box(system::parameter(&document, "ResetType"));
    let mut members = document["Members"].as_array().cloned().unwrap_or_default();
    members.sort_by(|one, other| inventory::age(one).cmp(&inventory::age(other)));
    for member in members.iter().filter(|it| inventory::is_alarm(it)) {
        black_box(inventory::alarm(member));
    }
    black_box(members.iter().map(inventory::event).collect::<Value>());
    let paths = media::references(&document["Members"]);
    black_box(inventory::hardware_log(&paths));
    for path in &paths {
        black_box(wire::path_of(path));
    }
}

fn refusal(status: u16, document: &Value) {
    let trouble = Trouble::Refused(Refusal::of(status, document, None));
    black_box(trouble.lesson());
    black_box(trouble.retry_after());
    black_box(trouble.into_error("fuzz", "the BMC").to_string());
}

fn system(document: &Value) {
    let typed = serde_json::from_value(system::decoded(SYSTEM, document));
    let typed = match typed {
        Ok(typed) => typed,
        Err(error) => panic!("a system that cannot be read: {error}"),
    };
    let maker = document["Manufacturer"].as_str().unwrap_or_default();
    let system = system::System {
        path: SYSTEM.to_owned(),
        typed,
        raw: document.clone(),
        ways: quirks::of(&[maker]),
    };
    let _ = black_box(system.power());
    black_box(system.settings());
    black_box(boot::of(&system).to_string());
    for device in BootDevice::ALL {
        for (uefi, persistent) in [(Some(true), true), (Some(false), false), (None, false)] {
            let wanted = Boot {
                device: Override::To(device),
                uefi,
                persistent,
                media: None,
            };
            let forms = boot::forms(&system, &wanted).unwrap_or_default();
            assert!(forms.iter().all(|form| !form.is_empty()), "an empty form");
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn odd_documents_are_read_without_harm() {
        for body in [
            "null",
            "7",
            "[]",
            "{}",
            r#"{"Boot": [], "Actions": 3, "PowerState": {}, "Members": [{"@odata.id": "//x?y#z"}, 4]}"#,
            r#"{"Boot": {"BootSourceOverrideMode": "x", "BootSourceOverrideEnabled": "Once"}, "Id": null}"#,
            r#"{"error": {"@Message.ExtendedInfo": [{"MessageId": 4}, null]}}"#,
            "no JSON",
            "",
        ] {
            for status in [0, 25, 75, 255] {
                super::documents(&[&[status], body.as_bytes()].concat());
            }
        }
    }
}
