//! The arguments of `drydock task confirm`.

use clap::Args;

use super::WaitArgs;

/// `drydock task confirm`
#[derive(Debug, Args)]
pub struct TaskConfirmArgs {
    /// Task id, of the task or of the subtask that asks.
    pub id: uuid::Uuid,
    /// The node it is about.
    #[arg(short, long)]
    pub node: String,
    /// It could not be done: the step fails.
    #[arg(long)]
    pub failed: bool,
    /// What else there is to say; becomes part of the task's messages.
    #[arg(short, long, default_value = "", hide_default_value = true)]
    pub message: String,
    /// How to wait and print.
    #[command(flatten)]
    pub wait: WaitArgs,
}
