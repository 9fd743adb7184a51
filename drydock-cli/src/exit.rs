//! Exit codes of the command line.

use std::fmt;
use std::process::ExitCode;

/// How a command ended. The numbers are a contract with scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// The work failed.
    Failed = 1,
    /// The command line makes no sense, or what it names cannot be read.
    Usage = 2,
    /// There is no such thing.
    NotFound = 3,
    /// Not allowed.
    Denied = 4,
    /// It took too long.
    TimedOut = 5,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

/// An error that knows its exit code.
#[derive(Debug)]
pub struct Failure {
    /// The code.
    pub exit: Exit,
    /// What to print.
    pub message: String,
    /// Whether it may pass by itself: no answer, or one that says "not now".
    pub passing: bool,
}

impl Failure {
    /// A failure of this kind, as an error.
    pub fn error(exit: Exit, message: impl Into<String>) -> anyhow::Error {
        anyhow::Error::new(Failure {
            exit,
            message: message.into(),
            passing: false,
        })
    }
}

/// Whether an error may pass by itself.
pub fn is_passing(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<Failure>()
        .is_some_and(|failure| failure.passing)
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// The exit code of an error: its own, 2 for texts that are no design, else 1.
pub fn of(error: &anyhow::Error) -> Exit {
    if error.is::<crate::source::Unreadable>() {
        return Exit::Usage;
    }
    error
        .downcast_ref::<Failure>()
        .map_or(Exit::Failed, |failure| failure.exit)
}
