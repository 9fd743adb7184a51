//! Stages of a run: each is done, whatever became of the ones before it, and shows up in the summary.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::interrupt;

/// What has been done so far.
#[derive(Default)]
pub(crate) struct Stages {
    done: Vec<Stage>,
}

struct Stage {
    name: &'static str,
    took: Duration,
    error: Option<String>,
}

impl Stages {
    /// Does a stage, unless the run was interrupted. `None`: it failed, or was not begun.
    pub(crate) fn run<T>(
        &mut self,
        name: &'static str,
        stage: impl FnOnce() -> Result<T>,
    ) -> Option<T> {
        if interrupt::came() {
            return None;
        }
        eprintln!("== {name}");
        let begin = Instant::now();
        let result = stage();
        let took = begin.elapsed();
        let (value, error) = match result {
            Ok(value) => (Some(value), None),
            Err(error) => (None, Some(format!("{error:#}"))),
        };
        if let Some(error) = &error {
            eprintln!("== {name} failed: {error}");
        }
        self.done.push(Stage { name, took, error });
        value
    }

    /// Prints one line per stage.
    ///
    /// # Errors
    /// A stage failed, or the run was interrupted.
    pub(crate) fn finish(self) -> Result<()> {
        eprintln!();
        for Stage { name, took, error } in &self.done {
            let verdict = if error.is_none() { "ok" } else { "FAILED" };
            eprintln!("{name:<12} {verdict:<6} {:>7.1} s", took.as_secs_f64());
        }
        let failed: Vec<&str> = self
            .done
            .iter()
            .filter(|stage| stage.error.is_some())
            .map(|stage| stage.name)
            .collect();
        if interrupt::came() {
            bail!("interrupted; what is not listed was not begun");
        }
        if !failed.is_empty() {
            bail!("failed: {}", failed.join(", "));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failure_fails_the_run_and_stops_no_other_stage() {
        let mut stages = Stages::default();
        assert_eq!(stages.run("one", || Ok(1)), Some(1));
        assert_eq!(
            stages.run("two", || -> Result<()> { bail!("broken") }),
            None
        );
        assert_eq!(stages.run("three", || Ok(3)), Some(3));
        assert_eq!(stages.finish().unwrap_err().to_string(), "failed: two");
    }

    #[test]
    fn no_failure_is_success() {
        let mut stages = Stages::default();
        stages.run("one", || Ok(()));
        assert!(stages.finish().is_ok());
    }
}
