//! Running other programs.

use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::interrupt;

/// Runs a program to its end; its output goes where ours goes.
///
/// # Errors
/// It cannot be started, or it fails.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    eprintln!("$ {}", shown(command));
    let mut child = command
        .spawn()
        .with_context(|| format!("cannot start {}", shown(command)))?;
    let status = {
        let _forwarding = interrupt::forward_to(child.id());
        child
            .wait()
            .with_context(|| format!("cannot wait for {}", shown(command)))?
    };
    if interrupt::came() {
        bail!("interrupted");
    }
    ensure!(status.success(), "{} ended with {status}", shown(command));
    Ok(())
}

/// Runs a program and gives its standard output; its complaints are in the error.
///
/// # Errors
/// It cannot be started, it fails, or it prints what is not UTF-8.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {}", shown(command)))?;
    ensure!(
        output.status.success(),
        "{} ended with {}: {}",
        shown(command),
        output.status,
        String::from_utf8_lossy(&output.stderr).trim()
    );
    String::from_utf8(output.stdout).with_context(|| format!("{} printed no text", shown(command)))
}

/// Whether a program is there and answers to these arguments.
pub(crate) fn works(program: &str, arguments: &[&str]) -> bool {
    quietly(program, arguments).is_ok_and(|status| status.success())
}

/// Whether a program is there at all, whatever it says to these arguments.
pub(crate) fn starts(program: &str, arguments: &[&str]) -> bool {
    quietly(program, arguments).is_ok()
}

fn quietly(program: &str, arguments: &[&str]) -> std::io::Result<ExitStatus> {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status()
}

fn shown(command: &Command) -> String {
    let program = command.get_program().to_string_lossy();
    let name = program.rsplit('/').next().unwrap_or_default().to_owned();
    command.get_args().fold(name, |line, argument| {
        line + " " + &argument.to_string_lossy()
    })
}
