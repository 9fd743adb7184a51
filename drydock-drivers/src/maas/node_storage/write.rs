//! One change of a machine's storage at a time.

use drydock_model::change::Change;
use drydock_model::driver::{DriverError, StepContext};
use serde_json::Value;

use super::super::form::Form;
use super::super::progress::{malformed, text, unknown_verb, value};
use super::super::redeploy;
use super::super::region::Region;
use super::{
    CREATE_GROUP, CREATE_PARTITION, CREATE_VOLUME, FORMAT, MOUNT, SET_BOOT_DISK, SET_LAYOUT,
    UNMOUNT,
};

/// Makes one change.
pub(crate) async fn apply(
    region: &Region,
    _cx: &StepContext,
    change: &Change,
) -> Result<String, DriverError> {
    if change.verb == redeploy::RELEASE {
        return redeploy::apply(region, change).await;
    }
    let system_id = text(change, "system_id")?;
    let (path, form) = request(change, &system_id)?;
    let made = region.client.post(&path, &form).await?;
    Ok(match change.verb.as_str() {
        CREATE_PARTITION | CREATE_GROUP | CREATE_VOLUME => {
            format!("created with id {}", made["id"])
        }
        _ => "done".to_owned(),
    })
}

fn request(change: &Change, system_id: &str) -> Result<(String, Form), DriverError> {
    let after = &change.after;
    let disks = format!("nodes/{system_id}/blockdevices/");
    let disk = || number(change, "disk");
    let given = |name: &str| after[name].as_str().filter(|text| !text.is_empty());
    Ok(match change.verb.as_str() {
        SET_BOOT_DISK => (format!("{disks}{}/?op=set_boot_disk", disk()?), Form::new()),
        SET_LAYOUT => {
            let form = Form::new()
                .with("storage_layout", text(change, "layout")?)
                .with("root_device", number(change, "root_device")?)
                .maybe("root_size", after["root_size"].as_u64())
                .maybe("boot_size", after["boot_size"].as_u64());
            (format!("machines/{system_id}/?op=set_storage_layout"), form)
        }
        CREATE_PARTITION => {
            let form = Form::new()
                .maybe("size", after["size"].as_u64())
                .maybe("uuid", given("uuid"))
                .with("bootable", after["bootable"].as_bool().unwrap_or(false));
            (format!("{disks}{}/partitions/", disk()?), form)
        }
        CREATE_GROUP => {
            let form = Form::new()
                .with("name", text(change, "name")?)
                .maybe("uuid", given("uuid"))
                .maybe("block_devices", joined(value(change, "disks")?))
                .maybe("partitions", joined(value(change, "partitions")?));
            (format!("nodes/{system_id}/volume-groups/"), form)
        }
        CREATE_VOLUME => {
            let form = Form::new()
                .with("name", text(change, "name")?)
                .maybe("uuid", given("uuid"))
                .maybe("size", after["size"].as_u64());
            (
                format!(
                    "nodes/{system_id}/volume-group/{}/?op=create_logical_volume",
                    number(change, "group")?
                ),
                form,
            )
        }
        FORMAT => {
            let form = Form::new()
                .with("fstype", text(change, "fstype")?)
                .maybe("uuid", given("uuid"))
                .maybe("label", given("label"));
            (spot(change, &disks, "format")?, form)
        }
        MOUNT => {
            let form = Form::new()
                .with("mount_point", text(change, "mount_point")?)
                .maybe("mount_options", given("mount_options"));
            (spot(change, &disks, "mount")?, form)
        }
        UNMOUNT => (spot(change, &disks, "unmount")?, Form::new()),
        _ => return Err(unknown_verb(change)),
    })
}

/// The disk, volume or partition that a file system is on.
fn spot(change: &Change, disks: &str, op: &str) -> Result<String, DriverError> {
    let disk = number(change, "disk")?;
    Ok(match change.after["partition"].as_i64() {
        Some(partition) => format!("{disks}{disk}/partition/{partition}?op={op}"),
        None => format!("{disks}{disk}/?op={op}"),
    })
}

fn number(change: &Change, name: &str) -> Result<i64, DriverError> {
    value(change, name)?
        .as_i64()
        .ok_or_else(|| malformed(change, name))
}

/// Ids as MaaS takes them; `None` for none.
fn joined(ids: &Value) -> Option<String> {
    let ids: Vec<String> = ids.as_array()?.iter().map(ToString::to_string).collect();
    (!ids.is_empty()).then(|| ids.join(","))
}
