//! Machines for the tests of this driver.

pub(crate) use crate::trial::*;

use super::lookup::MachineSeen;
use super::status::Status;

pub(crate) fn machine(status: Status) -> Box<MachineSeen> {
    Box::new(MachineSeen {
        system_id: "abc123".into(),
        hostname: "n1".into(),
        domain: "local".into(),
        status,
        status_name: name_of(status).to_owned(),
        status_message: "MaaS's own words".into(),
        power_type: "ipmi".into(),
        owner: (!matches!(
            status,
            Status::New | Status::FailedCommissioning | Status::Ready
        ))
        .then(|| "admin".to_owned()),
        us: "admin".into(),
        locked: false,
        system: "ubuntu/jammy".into(),
    })
}

/// MaaS's name of a status.
pub(crate) fn name_of(status: Status) -> &'static str {
    match status {
        Status::New => "New",
        Status::Commissioning => "Commissioning",
        Status::FailedCommissioning => "Failed commissioning",
        Status::Ready => "Ready",
        Status::Deployed => "Deployed",
        Status::Broken => "Broken",
        Status::Deploying => "Deploying",
        Status::Allocated => "Allocated",
        Status::FailedDeployment => "Failed deployment",
        Status::Releasing => "Releasing",
        Status::ReleasingFailed => "Releasing failed",
        Status::DiskErasing => "Disk erasing",
        Status::FailedDiskErasing => "Failed disk erasing",
        Status::Testing => "Testing",
        Status::FailedTesting => "Failed testing",
        _ => "Other",
    }
}
