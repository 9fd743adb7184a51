//! Lives of a machine, stepped by hand.

use super::*;
use crate::faults::{BmcFaults, RedfishFaults, Vendor};

const PXE_ONCE: [u8; 5] = [0xa0, 0x04, 0, 0, 0];
const PXE_ALWAYS: [u8; 5] = [0xe0, 0x04, 0, 0, 0];
const SOUND: MachineFaults = MachineFaults {
    bmc: BmcFaults {
        loss_per_mille: 0,
        duplicate_per_mille: 0,
        reorder_per_mille: 0,
        reorder_ms: 0,
        delay_ms: 0,
        busy_every: None,
        slots_taken: false,
        crashes_above: None,
        crash_ms: 0,
        vendor: Vendor::Plain,
        sensor_alarm: false,
    },
    redfish: RedfishFaults::NONE,
    bmc_silent: false,
    bmc_wrong_password: false,
    ignores_power: false,
    refuses_power: false,
    refuses_same_power: false,
    forgets_boot_device: false,
    loses_boot_device: false,
    fails_commissioning: false,
    fails_deployment: false,
    never_calls_back: false,
    boot_action_fails: false,
};

/// Runs out every timer and answers every network boot with `purpose`; gives the reports on the way.
fn settle(
    core: &mut Core,
    first: Input,
    purpose: BootPurpose,
    faults: &MachineFaults,
) -> Vec<Report> {
    let mut reports = Vec::new();
    let mut inputs = vec![first];
    while let Some(input) = inputs.pop() {
        for effect in core.step(input, faults).unwrap() {
            match effect {
                Effect::Timer(generation, _) => inputs.insert(0, Input::Timer(generation)),
                Effect::AskMaas(generation) => {
                    inputs.insert(0, Input::BootAnswer(generation, purpose));
                }
                Effect::Report(report) => reports.push(report),
                Effect::SystemUp | Effect::SystemDown | Effect::Changed { .. } => {}
            }
        }
    }
    reports
}

#[test]
fn one_time_network_boot_enlists_and_switches_off() {
    let mut core = Core::new(false);
    core.set_boot_flags(PXE_ONCE);
    let reports = settle(
        &mut core,
        Input::Power(Control::On),
        BootPurpose::Enlist,
        &SOUND,
    );
    assert_eq!(reports, [Report::Enlisted, Report::Off]);
    assert_eq!(core.phase(), Phase::Off);
    assert_eq!(core.boot_flags(), [0; 5], "one-time flags are used up");
}

#[test]
fn persistent_flags_stay() {
    let mut core = Core::new(false);
    core.set_boot_flags(PXE_ALWAYS);
    settle(
        &mut core,
        Input::Power(Control::On),
        BootPurpose::Enlist,
        &SOUND,
    );
    assert_eq!(core.boot_flags(), PXE_ALWAYS);
}

#[test]
fn an_empty_machine_without_boot_flags_finds_nothing() {
    let mut core = Core::new(false);
    let reports = settle(
        &mut core,
        Input::Power(Control::On),
        BootPurpose::Enlist,
        &SOUND,
    );
    assert!(reports.is_empty());
    assert_eq!(core.phase(), Phase::NothingToBoot);
    assert!(core.power_on());
}

#[test]
fn maas_commissions_installs_and_erases() {
    let mut core = Core::new(false);
    let reports = settle(
        &mut core,
        Input::NetworkBoot,
        BootPurpose::Commission,
        &SOUND,
    );
    assert_eq!(reports, [Report::Commissioned { ok: true }, Report::Off]);
    let reports = settle(&mut core, Input::NetworkBoot, BootPurpose::Install, &SOUND);
    assert_eq!(reports, [Report::Deployed { ok: true }]);
    assert_eq!(core.phase(), Phase::Running);
    let reports = settle(&mut core, Input::NetworkBoot, BootPurpose::Erase, &SOUND);
    assert_eq!(reports, [Report::Off, Report::Erased]);
    assert!(!core.installed() && core.power_on());
    settle(
        &mut core,
        Input::Power(Control::Off),
        BootPurpose::Erase,
        &SOUND,
    );
    assert_eq!(core.phase(), Phase::Off);
}

#[test]
fn failures_are_reported() {
    let faults = MachineFaults {
        fails_commissioning: true,
        fails_deployment: true,
        ..SOUND
    };
    let mut core = Core::new(false);
    let reports = settle(
        &mut core,
        Input::NetworkBoot,
        BootPurpose::Commission,
        &faults,
    );
    assert_eq!(reports, [Report::Commissioned { ok: false }, Report::Off]);
    let reports = settle(&mut core, Input::NetworkBoot, BootPurpose::Install, &faults);
    assert_eq!(reports, [Report::Deployed { ok: false }]);
    assert_eq!(core.phase(), Phase::InstallFailed);
}

#[test]
fn cycle_and_reset_need_power() {
    let mut core = Core::new(false);
    for verb in [Control::Cycle, Control::Reset] {
        assert_eq!(core.step(Input::Power(verb), &SOUND), Err(NotNow));
    }
    assert_eq!(core.phase(), Phase::Off);
}

#[test]
fn a_stale_timer_does_nothing() {
    let mut core = Core::new(false);
    let effects = core.step(Input::Power(Control::On), &SOUND).unwrap();
    let Some(Effect::Timer(stale, Wait::Power)) = effects.last().copied() else {
        panic!("no timer in {effects:?}");
    };
    core.step(Input::Power(Control::Off), &SOUND).unwrap();
    assert!(core.step(Input::Timer(stale), &SOUND).unwrap().is_empty());
    assert_eq!(core.phase(), Phase::TurningOff);
}

#[test]
fn ignored_power_is_acknowledged() {
    let faults = MachineFaults {
        ignores_power: true,
        ..SOUND
    };
    let mut core = Core::new(true);
    assert_eq!(core.step(Input::Power(Control::Off), &faults), Ok(vec![]));
    assert_eq!(core.step(Input::NetworkBoot, &faults), Ok(vec![]));
    assert!(core.power_on());
}

#[test]
fn a_restart_during_power_off_is_kept_and_off_wins_over_it() {
    let mut core = Core::new(true);
    core.step(Input::Power(Control::Off), &SOUND).unwrap();
    core.step(Input::NetworkBoot, &SOUND).unwrap();
    let generation = core.generation;
    core.step(Input::Timer(generation), &SOUND).unwrap();
    assert_eq!(core.phase(), Phase::TurningOn);

    let mut core = Core::new(true);
    core.step(Input::NetworkBoot, &SOUND).unwrap();
    core.step(Input::Power(Control::Off), &SOUND).unwrap();
    let generation = core.generation;
    core.step(Input::Timer(generation), &SOUND).unwrap();
    assert_eq!(core.phase(), Phase::Off);
}
