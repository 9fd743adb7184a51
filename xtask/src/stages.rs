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
    end: End,
}

/// How a stage ended.
enum End {
    Well,
    /// It was about something that is not to be had here.
    Skipped,
    Badly,
}

impl Stages {
    /// Does a stage, unless the run was interrupted. `None`: it failed, or was not begun.
    pub(crate) fn run<T>(
        &mut self,
        name: &'static str,
        stage: impl FnOnce() -> Result<T>,
    ) -> Option<T> {
        self.begin(name, true, stage)
    }

    /// Likewise for something that the other stages can do without: unless it is `required`, its failure is told and is none of the run.
    pub(crate) fn offer<T>(
        &mut self,
        name: &'static str,
        required: bool,
        stage: impl FnOnce() -> Result<T>,
    ) -> Option<T> {
        self.begin(name, required, stage)
    }

    fn begin<T>(
        &mut self,
        name: &'static str,
        required: bool,
        stage: impl FnOnce() -> Result<T>,
    ) -> Option<T> {
        if interrupt::came() {
            return None;
        }
        eprintln!("== {name}");
        let begin = Instant::now();
        let result = stage();
        let took = begin.elapsed();
        let (value, end) = match result {
            Ok(value) => (Some(value), End::Well),
            Err(error) if required => {
                eprintln!("== {name} failed: {error:#}");
                (None, End::Badly)
            }
            Err(error) => {
                eprintln!("== {name} skipped: {error:#}");
                (None, End::Skipped)
            }
        };
        self.done.push(Stage { name, took, end });
        value
    }

    /// Prints one line per stage.
    ///
    /// # Errors
    /// A stage failed, or the run was interrupted.
    pub(crate) fn finish(self) -> Result<()> {
        eprintln!();
        for Stage { name, took, end } in &self.done {
            let verdict = match end {
                End::Well => "ok",
                End::Skipped => "skipped",
                End::Badly => "FAILED",
            };
            eprintln!("{name:<12} {verdict:<7} {:>7.1} s", took.as_secs_f64());
        }
        let failed: Vec<&str> = self
            .done
            .iter()
            .filter(|stage| matches!(stage.end, End::Badly))
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
    fn what_is_not_to_be_had_fails_the_run_only_where_it_is_required() {
        let mut stages = Stages::default();
        let gone = || -> Result<()> { bail!("not to be had") };
        assert_eq!(stages.offer("one", false, gone), None);
        assert_eq!(stages.offer("two", false, || Ok(2)), Some(2));
        assert!(stages.finish().is_ok());
        let mut stages = Stages::default();
        assert_eq!(stages.offer("one", true, gone), None);
        assert_eq!(stages.finish().unwrap_err().to_string(), "failed: one");
    }

    #[test]
    fn no_failure_is_success() {
        let mut stages = Stages::default();
        stages.run("one", || Ok(()));
        assert!(stages.finish().is_ok());
    }
}
