//! What counts as the same, and what is said where it is not.

#![allow(clippy::unwrap_used)]

use drydock_model::change::Risk;
use drydock_model::step::StepAction;
use serde_json::json;

use super::*;

fn change(verb: &str, before: Value, after: Value) -> Change {
    Change {
        target: "maas machine abc".into(),
        verb: verb.into(),
        before,
        after,
        risk: Risk::Reversible,
        why: "the design says so".into(),
    }
}

fn resize(seen: &str) -> Change {
    change(
        "set_size",
        json!({"partition": "sda-part1", "size": seen}),
        json!({"size": "30 GB"}),
    )
}

fn forecast(changes: &[Change]) -> Forecast {
    Forecast::and_more(StepAction::ApplyNodeStorage, changes.to_vec(), "more")
}

#[test]
fn the_same_is_taken_and_every_difference_is_named() {
    let format = change("format", Value::Null, json!({"fs": "ext4"}));
    let plan = forecast(&[resize("20 GB"), format.clone()]);
    assert_eq!(
        compare_first(&plan, &[resize("20 GB"), format.clone()], &[]),
        Ok(())
    );
    let riskier = Change {
        risk: Risk::Wipes,
        ..format.clone()
    };
    let elsewhere = Change {
        target: "maas machine def".into(),
        ..resize("20 GB")
    };
    let other_after = change("format", Value::Null, json!({"fs": "xfs"}));
    for (now, needle) in [
        (
            vec![resize("25 GB"), format.clone()],
            "now before.size is \"25 GB\" and was \"20 GB\" when it was planned",
        ),
        (vec![], "now there is nothing to change"),
        (
            vec![resize("20 GB")],
            "the plan would format maas machine abc",
        ),
        (
            vec![resize("20 GB"), other_after],
            "now after.fs is \"xfs\" and was \"ext4\"",
        ),
        (
            vec![resize("20 GB"), riskier],
            "it is one that wipes, not reversible",
        ),
        (
            vec![elsewhere, format.clone()],
            "now it would set_size maas machine def",
        ),
        (
            vec![format.clone(), resize("20 GB")],
            "the order of the changes is another",
        ),
        (
            vec![
                resize("20 GB"),
                format.clone(),
                change("mount", Value::Null, json!({})),
            ],
            "the plan holds no such change, and now it would mount",
        ),
    ] {
        let text = compare_first(&plan, &now, &[]).unwrap_err();
        assert!(text.contains(needle), "{now:?}: {text}");
    }
    let text = compare_first(&Forecast::nothing(), &[resize("20 GB")], &[]).unwrap_err();
    assert!(text.contains("no such change"), "{text}");
}

#[test]
fn what_this_task_did_itself_is_not_held_against_it() {
    let create = change("create_tag", Value::Null, json!({"name": "rack1"}));
    let attach = change("attach_tag", Value::Null, json!({"name": "rack1"}));
    let plan = forecast(&[create.clone(), attach.clone()]);
    assert!(compare_first(&plan, std::slice::from_ref(&attach), &[]).is_err());
    assert_eq!(
        compare_first(&plan, std::slice::from_ref(&attach), &[create]),
        Ok(())
    );
    // A power cycle after this task has set the boot device: the boot device is its own doing, the power is not.
    let seen = |power: &str, boot: &str| json!({"power": power, "boot": boot});
    let cycle = |before| change("power_off", before, json!({"power": "off"}));
    let set_boot = change(
        "set_boot",
        json!({"boot": "disk"}),
        json!({"device": "pxe"}),
    );
    let plan = forecast(&[cycle(seen("on", "disk"))]);
    let now = [cycle(seen("on", "pxe"))];
    assert!(compare_first(&plan, &now, &[]).is_err());
    assert_eq!(
        compare_first(&plan, &now, std::slice::from_ref(&set_boot)),
        Ok(())
    );
    let text = compare_first(&plan, &[cycle(seen("off", "pxe"))], &[set_boot]).unwrap_err();
    assert!(text.contains("before.power is \"off\""), "{text}");
    // Nor is what no change of this task was about.
    let now = [cycle(
        json!({"power": "on", "boot": "disk", "locked": true}),
    )];
    let other = change("tag", json!({"tags": []}), json!({"tag": "a"}));
    let text = compare_first(&plan, &now, &[other]).unwrap_err();
    assert!(
        text.contains("before.locked is true and was null"),
        "{text}"
    );
}

#[test]
fn later_rounds_stay_below_what_the_plan_allows() {
    let (first, second) = (resize("20 GB"), change("format", Value::Null, json!({})));
    let plan = forecast(&[first.clone(), second.clone()]);
    let more = |risk| Change {
        risk,
        ..change("mount", Value::Null, json!({}))
    };
    let own = [first.clone()];
    // Half done: what is left, and nothing else.
    assert_eq!(
        compare_later(&plan, std::slice::from_ref(&second), &own),
        Ok(())
    );
    let text = compare_later(&plan, &[more(Risk::Reversible)], &own).unwrap_err();
    assert!(text.contains("not done yet"), "{text}");
    let both = [second.clone(), more(Risk::Reversible)];
    let text = compare_later(&plan, &both, &own).unwrap_err();
    assert!(text.contains("half done"), "{text}");
    // Done: whatever is not above the limit of this kind of step.
    let own = [first, second];
    for (risk, allowed) in [
        (Risk::Reversible, true),
        (Risk::Reboots, true),
        (Risk::Wipes, false),
    ] {
        let result = compare_later(&plan, &[more(risk)], &own);
        assert_eq!(result.is_ok(), allowed, "{result:?}");
    }
    // A step whose first round was only to wait.
    let waits = forecast(&[]);
    assert_eq!(compare_first(&waits, &[more(Risk::Reboots)], &[]), Ok(()));
    let text = compare_first(&waits, &[more(Risk::Wipes)], &[]).unwrap_err();
    assert!(text.contains("allows what reboots at most"), "{text}");
}
