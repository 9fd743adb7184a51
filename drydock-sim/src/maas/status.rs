//! The statuses of a node, with MaaS's numbers and names.

/// Status of a node (MaaS `NODE_STATUS`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
#[allow(dead_code, reason = "the table is MaaS's, whole")]
pub(super) enum Status {
    New = 0,
    Commissioning = 1,
    FailedCommissioning = 2,
    Missing = 3,
    Ready = 4,
    Reserved = 5,
    Deployed = 6,
    Retired = 7,
    Broken = 8,
    Deploying = 9,
    Allocated = 10,
    FailedDeployment = 11,
    Releasing = 12,
    ReleasingFailed = 13,
    DiskErasing = 14,
    FailedDiskErasing = 15,
    Testing = 21,
    FailedTesting = 22,
}

/// Every status with its name and the word the `status` filter of a list takes.
const NAMES: [(Status, &str, &str); 18] = [
    (Status::New, "New", "new"),
    (Status::Commissioning, "Commissioning", "commissioning"),
    (
        Status::FailedCommissioning,
        "Failed commissioning",
        "failed_commissioning",
    ),
    (Status::Missing, "Missing", "missing"),
    (Status::Ready, "Ready", "ready"),
    (Status::Reserved, "Reserved", "reserved"),
    (Status::Deployed, "Deployed", "deployed"),
    (Status::Retired, "Retired", "retired"),
    (Status::Broken, "Broken", "broken"),
    (Status::Deploying, "Deploying", "deploying"),
    (Status::Allocated, "Allocated", "allocated"),
    (
        Status::FailedDeployment,
        "Failed deployment",
        "failed_deployment",
    ),
    (Status::Releasing, "Releasing", "releasing"),
    (
        Status::ReleasingFailed,
        "Releasing failed",
        "releasing_failed",
    ),
    (Status::DiskErasing, "Disk erasing", "disk_erasing"),
    (
        Status::FailedDiskErasing,
        "Failed disk erasing",
        "failed_disk_erasing",
    ),
    (Status::Testing, "Testing", "testing"),
    (Status::FailedTesting, "Failed testing", "failed_testing"),
];

impl Status {
    pub(super) fn number(self) -> u8 {
        self as u8
    }

    pub(super) fn name(self) -> &'static str {
        NAMES
            .iter()
            .find(|(status, ..)| *status == self)
            .map_or("", |(_, name, _)| name)
    }

    /// The status a filter word means; `Ready` with a capital is none.
    pub(super) fn of_filter(word: &str) -> Option<Self> {
        NAMES
            .iter()
            .find(|(.., filter)| *filter == word)
            .map(|(status, ..)| *status)
    }

    pub(super) fn may_commission(self) -> bool {
        matches!(
            self,
            Self::New | Self::FailedCommissioning | Self::Ready | Self::Broken
        )
    }

    pub(super) fn may_release(self) -> bool {
        matches!(
            self,
            Self::Allocated
                | Self::Deployed
                | Self::Deploying
                | Self::FailedDeployment
                | Self::Broken
                | Self::Reserved
                | Self::FailedDiskErasing
                | Self::ReleasingFailed
        )
    }

    pub(super) fn may_change_interfaces(self) -> bool {
        matches!(
            self,
            Self::New | Self::Ready | Self::FailedTesting | Self::Allocated | Self::Broken
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_is_named_once() {
        for (index, (status, name, word)) in NAMES.iter().enumerate() {
            assert_eq!(status.name(), *name);
            assert_eq!(Status::of_filter(word), Some(*status));
            assert!(NAMES[..index].iter().all(|(other, ..)| other != status));
        }
        assert_eq!(Status::of_filter("Ready"), None);
        assert_eq!(Status::FailedTesting.number(), 22);
    }
}
