//! Whether what a step would do now is what its plan foresaw. Pure.

use drydock_model::change::Change;
use drydock_model::forecast::Forecast;
use serde_json::Value;

/// Compares the first round of a step with its forecast. `made` are the changes that this very task has made already, or may have made:
/// one of them may be missing now, and what it has changed itself is not held against it.
///
/// # Errors
/// The first difference, as a sentence.
pub fn compare_first(plan: &Forecast, now: &[Change], made: &[Change]) -> Result<(), String> {
    if plan.changes.is_empty() && plan.further.is_some() {
        return within(plan, now);
    }
    let mut left = now.iter().peekable();
    for planned in &plan.changes {
        if let Some(next) = left.peek()
            && is_same(planned, next, made)
        {
            left.next();
        } else if !made.iter().any(|made| is_same_act(planned, made)) {
            return Err(difference(planned, now, left.peek().copied(), made));
        }
    }
    match left.next() {
        None => Ok(()),
        Some(more) => Err(format!(
            "the plan holds no such change, and now it would {}",
            told(more)
        )),
    }
}

/// Compares a later round of a step with its forecast. `own` are the changes that the step has begun: as long as one of the foreseen ones is
/// not among them, nothing else is done.
///
/// # Errors
/// The first difference, as a sentence.
pub fn compare_later(plan: &Forecast, now: &[Change], own: &[Change]) -> Result<(), String> {
    let foreseen = |change: &Change| {
        plan.changes
            .iter()
            .any(|planned| is_same_act(planned, change) && planned.risk == change.risk)
    };
    let unforeseen: Vec<Change> = now
        .iter()
        .filter(|change| !foreseen(change))
        .cloned()
        .collect();
    let left = plan
        .changes
        .iter()
        .find(|planned| !own.iter().any(|own| is_same_act(planned, own)));
    match (left, unforeseen.first()) {
        (Some(planned), Some(other)) if !now.iter().any(|change| is_same_act(planned, change)) => {
            Err(format!(
                "the plan would {}, which is not done yet; now it would {} instead",
                told(planned),
                told(other)
            ))
        }
        (Some(_), Some(other)) => Err(format!(
            "the plan is half done and does not hold that it would {}",
            told(other)
        )),
        _ => within(plan, &unforeseen),
    }
}

/// Whether changes that nobody foresaw are within what the plan allows.
fn within(plan: &Forecast, now: &[Change]) -> Result<(), String> {
    for change in now {
        match &plan.further {
            None => {
                return Err(format!(
                    "the plan ends here, and now it would {}",
                    told(change)
                ));
            }
            Some(further) if change.risk > further.at_most => {
                return Err(format!(
                    "the plan allows what {} at most, and now it would {}",
                    further.at_most,
                    told(change)
                ));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// Whether two changes do the same, whatever the state before.
pub(crate) fn is_same_act(one: &Change, other: &Change) -> bool {
    one.target == other.target && one.verb == other.verb && one.after == other.after
}

fn is_same(planned: &Change, now: &Change, made: &[Change]) -> bool {
    is_same_act(planned, now)
        && planned.risk == now.risk
        && before_differs(planned, now, made).is_none()
}

/// The first difference between the states before, leaving out what this task has changed itself: a member that a change it has made to the
/// same target found as the plan had found it.
fn before_differs(planned: &Change, now: &Change, made: &[Change]) -> Option<String> {
    let (Value::Object(then), Value::Object(today)) = (&planned.before, &now.before) else {
        return value_difference("before", &planned.before, &now.before);
    };
    then.keys()
        .chain(today.keys().filter(|key| !then.contains_key(*key)))
        .filter(|key| {
            !made.iter().any(|made| {
                made.target == planned.target
                    && then
                        .get(*key)
                        .is_some_and(|seen| made.before.get(*key) == Some(seen))
            })
        })
        .find_map(|key| {
            value_difference(
                &format!("before.{key}"),
                then.get(key).unwrap_or(&Value::Null),
                today.get(key).unwrap_or(&Value::Null),
            )
        })
}

/// What keeps a planned change from being made as planned.
fn difference(planned: &Change, now: &[Change], next: Option<&Change>, made: &[Change]) -> String {
    let same_kind = now
        .iter()
        .find(|change| change.target == planned.target && change.verb == planned.verb);
    let what = match same_kind {
        Some(change) => before_differs(planned, change, made)
            .or_else(|| value_difference("after", &planned.after, &change.after))
            .unwrap_or_else(|| {
                if change.risk == planned.risk {
                    "the order of the changes is another".to_owned()
                } else {
                    format!("it is one that {}, not {}", change.risk, planned.risk)
                }
            }),
        None => match next {
            None => "there is nothing to change".to_owned(),
            Some(next) => format!("it would {} instead", told(next)),
        },
    };
    format!("the plan would {}; now {what}", told(planned))
}

/// Where two values differ first, and how.
fn value_difference(path: &str, planned: &Value, now: &Value) -> Option<String> {
    match (planned, now) {
        (Value::Object(then), Value::Object(today)) => then
            .keys()
            .chain(today.keys().filter(|key| !then.contains_key(*key)))
            .find_map(|key| {
                value_difference(
                    &format!("{path}.{key}"),
                    then.get(key).unwrap_or(&Value::Null),
                    today.get(key).unwrap_or(&Value::Null),
                )
            }),
        (Value::Array(then), Value::Array(today)) if then.len() == today.len() => then
            .iter()
            .zip(today)
            .enumerate()
            .find_map(|(at, (then, today))| {
                value_difference(&format!("{path}[{at}]"), then, today)
            }),
        _ if planned == now => None,
        _ => Some(format!(
            "{path} is {now} and was {planned} when it was planned"
        )),
    }
}

fn told(change: &Change) -> String {
    format!(
        "{} {} to {} ({}: {})",
        change.verb, change.target, change.after, change.risk, change.why
    )
}

#[cfg(test)]
mod tests;
