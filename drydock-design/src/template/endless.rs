//! What of a template cannot come to its end within its bounds, as far as that can be seen without running it.

use minijinja::machinery::ast::{Call, CallArg, Expr};

use super::FUEL;

/// Values that the template language lets one `range` have.
const RANGE_LIMIT: u64 = 100_000;

/// The loops and macros around the place where a walk is.
#[derive(Debug, Default)]
pub(super) struct Around<'a> {
    /// How often what stands here is run, by the loops over constant ranges; 0 is never stored.
    turns: Vec<u64>,
    /// Macros whose body this is, each with how many conditions stood around its body.
    macros: Vec<(&'a str, usize)>,
    pub(super) faults: Vec<String>,
}

impl<'a> Around<'a> {
    /// Enters a loop. To be left by [`Self::leave_loop`].
    pub(super) fn enter_loop(&mut self, iter: &Expr<'_>, line: u16) {
        let count = range(iter);
        if let Some(count) = count.filter(|count| *count > RANGE_LIMIT) {
            self.faults.push(format!(
                "the range in line {line} of the template has {count} values, and {RANGE_LIMIT} are the most that is rendered"
            ));
        }
        let outer = self.turns.last().copied().unwrap_or(1);
        let turns = outer.saturating_mul(count.unwrap_or(1).max(1));
        if turns > FUEL && outer <= FUEL && count.is_some_and(|count| count <= RANGE_LIMIT) {
            self.faults.push(format!(
                "the loop in line {line} of the template turns {turns} times, and {FUEL} steps are the most that is rendered"
            ));
        }
        self.turns.push(turns);
    }

    pub(super) fn leave_loop(&mut self) {
        self.turns.pop();
    }

    /// Enters the body of a macro. To be left by [`Self::leave_macro`].
    pub(super) fn enter_macro(&mut self, name: &'a str, conditions: usize) {
        self.macros.push((name, conditions));
    }

    pub(super) fn leave_macro(&mut self) {
        self.macros.pop();
    }

    /// A call, at a place with so many conditions around it.
    pub(super) fn call(&mut self, call: &Call<'_>, conditions: usize, line: u16) {
        let Expr::Var(called) = &call.expr else {
            return;
        };
        if self.macros.last() == Some(&(called.id, conditions)) {
            self.faults.push(format!(
                "the macro {} calls itself in line {line} of the template without a condition, and so never ends",
                called.id
            ));
        }
    }
}

/// How many values a `range` of whole numbers that are written down has.
fn range(iter: &Expr<'_>) -> Option<u64> {
    let Expr::Call(call) = iter else {
        return None;
    };
    if !matches!(&call.expr, Expr::Var(function) if function.id == "range") {
        return None;
    }
    let numbers: Option<Vec<i64>> = call
        .args
        .iter()
        .map(|argument| match argument {
            CallArg::Pos(Expr::Const(constant)) => i64::try_from(constant.value.clone()).ok(),
            _ => None,
        })
        .collect();
    match numbers?.as_slice() {
        [end] => Some(u64::try_from(*end).unwrap_or(0)),
        [start, end] => Some(u64::try_from(end.checked_sub(*start)?).unwrap_or(0)),
        [start, end, step] if *step > 0 => {
            let span = u64::try_from(end.checked_sub(*start)?).unwrap_or(0);
            Some(span.div_ceil(step.unsigned_abs()))
        }
        _ => None,
    }
}
