//! The states of a machine, by MaaS's numbers (the same from 2.3 to 3.7).

use serde::{Deserialize, Serialize};

/// State of a machine (MaaS `NODE_STATUS`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "i64", into = "i64")]
pub(crate) enum Status {
    New,
    Commissioning,
    FailedCommissioning,
    Missing,
    Ready,
    Reserved,
    Deployed,
    Retired,
    Broken,
    Deploying,
    Allocated,
    FailedDeployment,
    Releasing,
    ReleasingFailed,
    DiskErasing,
    FailedDiskErasing,
    RescueMode,
    EnteringRescueMode,
    FailedToEnterRescueMode,
    ExitingRescueMode,
    FailedToExitRescueMode,
    Testing,
    FailedTesting,
    /// A number that no known release uses.
    Other(i64),
}

/// In the order of their numbers.
const NUMBERED: [Status; 23] = [
    Status::New,
    Status::Commissioning,
    Status::FailedCommissioning,
    Status::Missing,
    Status::Ready,
    Status::Reserved,
    Status::Deployed,
    Status::Retired,
    Status::Broken,
    Status::Deploying,
    Status::Allocated,
    Status::FailedDeployment,
    Status::Releasing,
    Status::ReleasingFailed,
    Status::DiskErasing,
    Status::FailedDiskErasing,
    Status::RescueMode,
    Status::EnteringRescueMode,
    Status::FailedToEnterRescueMode,
    Status::ExitingRescueMode,
    Status::FailedToExitRescueMode,
    Status::Testing,
    Status::FailedTesting,
];

impl From<i64> for Status {
    fn from(number: i64) -> Self {
        usize::try_from(number)
            .ok()
            .and_then(|index| NUMBERED.get(index).copied())
            .unwrap_or(Status::Other(number))
    }
}

impl From<Status> for i64 {
    fn from(status: Status) -> Self {
        match status {
            Status::Other(number) => number,
            known => NUMBERED
                .iter()
                .position(|entry| *entry == known)
                .and_then(|index| i64::try_from(index).ok())
                .unwrap_or(-1),
        }
    }
}

impl Status {
    /// Whether MaaS failed to give the machine up; only another release, by hand or by `destroy_nodes`, leads on.
    pub(crate) fn failed_release(self) -> bool {
        matches!(self, Status::ReleasingFailed | Status::FailedDiskErasing)
    }

    /// Whether `release` is taken in this state.
    pub(crate) fn releasable(self) -> bool {
        use Status as S;
        matches!(
            self,
            S::Allocated
                | S::Deployed
                | S::Deploying
                | S::FailedDeployment
                | S::Broken
                | S::Reserved
                | S::FailedDiskErasing
                | S::ReleasingFailed
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_maas() {
        for (number, status) in [
            (0, Status::New),
            (4, Status::Ready),
            (6, Status::Deployed),
            (9, Status::Deploying),
            (11, Status::FailedDeployment),
            (13, Status::ReleasingFailed),
            (15, Status::FailedDiskErasing),
            (21, Status::Testing),
            (22, Status::FailedTesting),
            (99, Status::Other(99)),
            (-3, Status::Other(-3)),
        ] {
            assert_eq!(Status::from(number), status);
            assert_eq!(i64::from(status), number);
        }
    }
}
