//! How services depart from the plain one, by who makes them: a table.

use std::time::Duration;

use crate::faults::{Accepted, Etags, MachineFaults, RedfishFaults, Vendor};

/// One maker's ways.
pub(super) struct Row {
    vendor: Vendor,
    /// `Vendor` and `Product` of the service root; `Manufacturer` of the system.
    pub(super) maker: &'static str,
    pub(super) product: &'static str,
    /// Ids of the system, the manager and the chassis.
    pub(super) system: &'static str,
    pub(super) manager: &'static str,
    pub(super) chassis: &'static str,
    /// Status and message id of a power command that the present state forbids.
    pub(super) not_now: (u16, &'static str),
    peculiar: RedfishFaults,
    /// Where this is known from.
    #[cfg_attr(not(test), allow(dead_code))]
    source: &'static str,
}

/// "The operation was refused" of the base registry, for want of a better one.
const NOT_NOW: (u16, &str) = (409, "Base.1.18.OperationNotAllowed");

/// All makers whose services are peculiar; the first row is the plain service, and that of all others.
static TABLE: [Row; 8] = [
    Row {
        vendor: Vendor::Plain,
        maker: "drydock-sim",
        product: "Simulated Server",
        system: "1",
        manager: "1",
        chassis: "1",
        not_now: NOT_NOW,
        peculiar: RedfishFaults::NONE,
        source: "DSP0266, DSP0268",
    },
    Row {
        vendor: Vendor::Minimal,
        maker: "",
        product: "",
        system: "1",
        manager: "1",
        chassis: "1",
        not_now: NOT_NOW,
        peculiar: RedfishFaults {
            no_sessions: true,
            etags: Etags::None,
            refuses_continuous: true,
            no_power_cycle: true,
            ..RedfishFaults::NONE
        },
        source: "DSP0266: what a service may leave out",
    },
    Row {
        vendor: Vendor::Openbmc,
        maker: "OpenBMC",
        product: "Simulated Server",
        system: "system",
        manager: "bmc",
        chassis: "chassis",
        not_now: NOT_NOW,
        peculiar: RedfishFaults {
            session_slots: 64,
            shows_power_on_its_way: true,
            ..RedfishFaults::NONE
        },
        source: "openbmc/bmcweb: redfish-core/lib/systems.hpp (states on the way), include/sessions.hpp (64 sessions)",
    },
    Row {
        vendor: Vendor::Supermicro,
        maker: "Supermicro",
        product: "Simulated Server",
        system: "1",
        manager: "1",
        chassis: "1",
        not_now: NOT_NOW,
        peculiar: RedfishFaults {
            wants_whole_boot: true,
            accepted: Accepted::Content,
            ..RedfishFaults::NONE
        },
        source: "Ironic's redfish driver: sets target, enabled and mode together for Supermicro",
    },
    Row {
        vendor: Vendor::Idrac,
        maker: "Dell Inc.",
        product: "Integrated Dell Remote Access Controller",
        system: "System.Embedded.1",
        manager: "iDRAC.Embedded.1",
        chassis: "System.Embedded.1",
        not_now: (409, "IDRAC.2.8.PSU501"),
        peculiar: RedfishFaults {
            session_slots: 8,
            basic_takes_slot: true,
            accepted: Accepted::Content,
            on_after_off_ms: 200,
            refuses_same_power: true,
            ..RedfishFaults::NONE
        },
        source: "Dell, iDRAC Redfish API guide: sessions; 409 PSU501 for the present state and for On shortly after Off: seen by Ironic's users",
    },
    Row {
        vendor: Vendor::Ilo,
        maker: "HPE",
        product: "ProLiant",
        system: "1",
        manager: "1",
        chassis: "1",
        not_now: (400, "iLO.2.14.InvalidOperationForSystemState"),
        peculiar: RedfishFaults {
            accepted: Accepted::Content,
            post_ms: 200,
            refuses_same_power: true,
            ..RedfishFaults::NONE
        },
        source: "goldyfruit/ansible-ilo issue 1 (400 InvalidOperationForSystemState); HPE, iLO message registry: UnableToModifyDuringSystemPOST",
    },
    Row {
        vendor: Vendor::Xcc,
        maker: "Lenovo",
        product: "ThinkSystem",
        system: "1",
        manager: "1",
        chassis: "1",
        not_now: NOT_NOW,
        peculiar: RedfishFaults {
            etags: Etags::Required,
            accepted: Accepted::Content,
            media_by_patch: true,
            ..RedfishFaults::NONE
        },
        source: "sushy: resources/manager/virtual_media.py (media by PATCH); XCC REST API guide: If-Match",
    },
    Row {
        vendor: Vendor::SushyTools,
        maker: "Sushy Emulator",
        product: "Redvirt Service",
        system: "c7a5fdbd-cdaf-9455-926a-d65c16db1809",
        manager: "c7a5fdbd-cdaf-9455-926a-d65c16db1809",
        chassis: "15693887-7984-9484-3272-842188918912",
        not_now: NOT_NOW,
        peculiar: RedfishFaults {
            no_sessions: true,
            no_root_links: true,
            etags: Etags::None,
            no_power_cycle: true,
            ..RedfishFaults::NONE
        },
        source: "sushy-tools 2.2.0: emulator/templates/root.json, system.json",
    },
];

/// How a service behaves: what its maker brings, and what was broken on top of it.
#[derive(Clone, Copy)]
pub(super) struct Ways {
    pub(super) row: &'static Row,
    pub(super) is: RedfishFaults,
}

impl Ways {
    pub(super) fn of(faults: &MachineFaults) -> Ways {
        let [plain, ..] = &TABLE;
        let row = TABLE
            .iter()
            .find(|row| row.vendor == faults.bmc.vendor)
            .unwrap_or(plain);
        Ways {
            row,
            is: joined(row.peculiar, faults.redfish),
        }
    }

    pub(super) fn session_slots(&self) -> usize {
        match self.is.session_slots {
            0 => 16,
            slots => usize::from(slots),
        }
    }

    pub(super) fn session_life(&self) -> Duration {
        match self.is.session_ms {
            0 => Duration::from_secs(1800),
            ms => Duration::from_millis(ms),
        }
    }

    pub(super) fn task_time(&self) -> Duration {
        match self.is.task_ms {
            0 => Duration::from_millis(50),
            ms => Duration::from_millis(ms),
        }
    }

    pub(super) fn retry_after(&self) -> u32 {
        self.is.retry_after_s.max(1)
    }
}

fn joined(maker: RedfishFaults, more: RedfishFaults) -> RedfishFaults {
    fn or<T: Default + PartialEq>(more: T, maker: T) -> T {
        if more == T::default() { maker } else { more }
    }
    RedfishFaults {
        other_systems: or(more.other_systems, maker.other_systems),
        no_sessions: more.no_sessions | maker.no_sessions,
        session_slots: or(more.session_slots, maker.session_slots),
        session_ms: or(more.session_ms, maker.session_ms),
        basic_takes_slot: more.basic_takes_slot | maker.basic_takes_slot,
        no_root_links: more.no_root_links | maker.no_root_links,
        etags: or(more.etags, maker.etags),
        accepted: or(more.accepted, maker.accepted),
        task_ms: or(more.task_ms, maker.task_ms),
        tasks_fail: more.tasks_fail | maker.tasks_fail,
        wants_whole_boot: more.wants_whole_boot | maker.wants_whole_boot,
        refuses_unchanged: more.refuses_unchanged | maker.refuses_unchanged,
        refuses_continuous: more.refuses_continuous | maker.refuses_continuous,
        boot_on_settings: more.boot_on_settings | maker.boot_on_settings,
        post_ms: or(more.post_ms, maker.post_ms),
        on_after_off_ms: or(more.on_after_off_ms, maker.on_after_off_ms),
        refuses_same_power: more.refuses_same_power | maker.refuses_same_power,
        no_power_cycle: more.no_power_cycle | maker.no_power_cycle,
        shows_power_on_its_way: more.shows_power_on_its_way | maker.shows_power_on_its_way,
        media_by_patch: more.media_by_patch | maker.media_by_patch,
        retry_after_s: or(more.retry_after_s, maker.retry_after_s),
        cuts_off_every: or(more.cuts_off_every, maker.cuts_off_every),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_its_makers_only_one_and_has_a_source() {
        for (at, row) in TABLE.iter().enumerate() {
            assert!(!row.source.is_empty(), "{:?}", row.vendor);
            let before = &TABLE[..at];
            assert!(before.iter().all(|other| other.vendor != row.vendor));
        }
    }

    #[test]
    fn faults_add_to_what_the_maker_brings() {
        let mut faults = MachineFaults::default();
        faults.bmc.vendor = Vendor::Idrac;
        faults.redfish.no_sessions = true;
        let ways = Ways::of(&faults);
        assert!(ways.is.no_sessions && ways.is.refuses_same_power);
        assert_eq!(
            (ways.session_slots(), ways.row.system),
            (8, "System.Embedded.1")
        );
        faults.redfish.session_slots = 3;
        assert_eq!(Ways::of(&faults).session_slots(), 3);
    }
}
