//! Virtual media (DSP0268, VirtualMedia): one drive in the manager.

use serde_json::{Value, json};

use super::answer::Reply;
use super::read::{Link, etag};
use super::{Service, State};

/// Id of the only drive.
pub(super) const DRIVE: &str = "Cd";

/// What is in the drive.
#[derive(Debug, Default)]
pub(super) struct Media {
    image: Option<String>,
    write_protected: bool,
}

impl Service {
    pub(super) fn media_path(&self) -> String {
        let manager = self.ways().row.manager;
        format!("/redfish/v1/Managers/{manager}/VirtualMedia/{DRIVE}")
    }

    pub(super) fn drive(&self, state: &State) -> Value {
        let Media {
            image,
            write_protected,
        } = &state.media;
        let path = self.media_path();
        let mut value = json!({
            "@odata.id": path,
            "@odata.type": "#VirtualMedia.v1_6_3.VirtualMedia",
            "Id": DRIVE,
            "Name": "Virtual CD",
            "MediaTypes": ["CD", "DVD"],
            "ConnectedVia": if image.is_some() { "URI" } else { "NotConnected" },
            "Inserted": image.is_some(),
            "Image": image,
            "ImageName": image.as_deref().and_then(|image| image.rsplit('/').next()),
            "WriteProtected": *write_protected || image.is_none(),
        });
        if !self.ways().is.media_by_patch {
            let action = |verb: &str| {
                let target = format!("{path}/Actions/VirtualMedia.{verb}");
                json!({"target": target})
            };
            value["Actions"] = json!({
                "#VirtualMedia.InsertMedia": action("InsertMedia"),
                "#VirtualMedia.EjectMedia": action("EjectMedia"),
            });
        }
        etag(value, &self.ways())
    }

    /// `InsertMedia`.
    pub(super) fn insert(&self, body: &Value, state: &mut State) -> Result<Reply, Reply> {
        let Some(image) = body.get("Image").and_then(Value::as_str) else {
            return Err(Reply::refusal(
                400,
                "Base.1.18.ActionParameterMissing",
                "The action InsertMedia requires the parameter Image to be present in the request body.",
            ));
        };
        if state.media.image.is_some() {
            return Err(Reply::refusal(
                409,
                "Base.1.18.ResourceInUse",
                "The change to the requested resource failed because the resource is in use.",
            ));
        }
        let protected = body.get("WriteProtected").and_then(Value::as_bool);
        self.put(Some(image), protected.unwrap_or(true), state);
        Ok(Reply::new(204, None))
    }

    /// `EjectMedia`.
    pub(super) fn eject(&self, state: &mut State) -> Reply {
        self.put(None, true, state);
        Reply::new(204, None)
    }

    /// PATCH of the drive, by makers without the actions.
    pub(super) fn patch_drive(&self, body: &Value, state: &mut State) -> Result<Reply, Reply> {
        if !self.ways().is.media_by_patch {
            return Err(Reply::not_writable("Image"));
        }
        match (body.get("Image"), body.get("Inserted")) {
            (Some(Value::String(image)), Some(Value::Bool(true))) => {
                let protected = body.get("WriteProtected").and_then(Value::as_bool);
                self.put(Some(image), protected.unwrap_or(true), state);
                Ok(Reply::resource(self.drive(state)))
            }
            (Some(Value::Null), _) | (None, Some(Value::Bool(false))) => {
                self.put(None, true, state);
                Ok(Reply::resource(self.drive(state)))
            }
            (Some(Value::String(_)), _) => Err(Reply::lacks("Inserted")),
            _ => Err(Reply::lacks("Image")),
        }
    }

    fn put(&self, image: Option<&str>, write_protected: bool, state: &mut State) {
        self.machine.media_from_bmc(image);
        state.media = Media {
            image: image.map(str::to_owned),
            write_protected,
        };
    }

    pub(super) fn drives(&self) -> Vec<Link> {
        vec![Link(self.media_path())]
    }
}
