//! How services depart from DSP0266 and DSP0268, by who makes them: a table, with where each row is known from.
//!
//! It tells what to try first. What a service refuses is tried in another way whoever made it, since the same maker's next
//! firmware may differ; what is read back decides. Repairs of documents come from the client crate's own table.

/// How the boot override is written at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BootForm {
    /// Target, enabled, and the mode when the design names one.
    AsWished,
    /// Target, enabled and mode, each time.
    Whole,
    /// Target and enabled, never the mode.
    WithoutMode,
}

/// What is peculiar about a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ways {
    pub(super) boot: BootForm,
    /// Whether it takes `Continuous` only as if it were `Once`, or refuses it, although it lists it.
    pub(super) only_once: bool,
}

/// What is not in the table.
pub(super) const PLAIN: Ways = Ways {
    boot: BootForm::AsWished,
    only_once: false,
};

struct Row {
    /// How the manufacturer of the system, or the vendor of the service, begins.
    maker: &'static str,
    ways: Ways,
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "the tests demand one for each row")
    )]
    source: &'static str,
}

static TABLE: [Row; 5] = [
    Row {
        maker: "Supermicro",
        ways: Ways {
            boot: BootForm::Whole,
            ..PLAIN
        },
        source: "https://github.com/DMTF/Redfishtool/pull/106: without the mode it falls back to the default one; https://github.com/ironcore-dev/metal-operator/issues/982: older boards have no mode at all",
    },
    Row {
        maker: "HPE",
        ways: Ways {
            boot: BootForm::WithoutMode,
            ..PLAIN
        },
        source: "https://github.com/ansible-collections/community.general/issues/3509: BootSourceOverrideMode is not writable",
    },
    Row {
        maker: "Hewlett Packard",
        ways: Ways {
            boot: BootForm::WithoutMode,
            ..PLAIN
        },
        source: "https://github.com/ansible-collections/community.general/issues/3509, by the name that older systems give",
    },
    Row {
        maker: "Dell",
        ways: Ways {
            only_once: true,
            ..PLAIN
        },
        source: "https://github.com/dell/terraform-provider-redfish/pull/138: Continuous is reset to Disabled after the first boot; https://github.com/dell/dellemc-openmanage-ansible-modules/issues/132: 409 PSU501 for what is so already",
    },
    Row {
        maker: "GIGABYTE",
        ways: Ways {
            boot: BootForm::Whole,
            ..PLAIN
        },
        source: "https://github.com/ansible-collections/community.general/pull/11543: a change of the override without its mode is refused",
    },
];

/// How the services of this maker behave.
pub(super) fn of(makers: &[&str]) -> Ways {
    let is = |row: &&Row| {
        makers.iter().any(|maker| {
            maker
                .get(..row.maker.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(row.maker))
        })
    };
    TABLE.iter().find(is).map_or(PLAIN, |row| row.ways)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makers_are_known_by_how_their_name_begins() {
        for (makers, boot) in [
            (&["Super Micro"][..], BootForm::AsWished),
            (&["", "Supermicro"], BootForm::Whole),
            (&["SUPERMICRO COMPUTER"], BootForm::Whole),
            (&["HPE", "HPE"], BootForm::WithoutMode),
            (&["Dell Inc."], BootForm::AsWished),
            (&["Größe"], BootForm::AsWished),
            (&[], BootForm::AsWished),
        ] {
            assert_eq!(of(makers).boot, boot, "{makers:?}");
        }
    }

    #[test]
    fn each_row_says_where_it_is_known_from() {
        for row in &TABLE {
            assert!(row.source.starts_with("https://"), "{}", row.maker);
            assert_ne!(row.ways, PLAIN, "{} departs in nothing", row.maker);
        }
    }
}
