//! `drydock template-worker`: the side that renders, in a process without secrets, files or room to grow.

use std::io::{self, stdin, stdout};
use std::panic::catch_unwind;

use anyhow::{Context, Result};
use drydock_design::template::{self, TEMPLATE_LIMIT};
use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage, setrlimit};
use serde_json::Value;

use super::frame;

/// Bytes of a context. That of a node with hundreds of labels and networks has some 10 kB.
const CONTEXT_LIMIT: usize = 16 << 20;

/// Renders what comes by standard input until that ends.
///
/// `memory_mib`: what the process may take above what it has now. `cpu_seconds`: what one template may take; the one that started this process
/// looks at the clock, but it may die before.
///
/// # Errors
/// A limit cannot be set, or the other side speaks no sense.
pub fn run(memory_mib: u64, cpu_seconds: u64) -> Result<()> {
    // A panic's text may tell values.
    std::panic::set_hook(Box::new(|_| {}));
    restrain(memory_mib)?;
    let (mut input, mut output) = (stdin().lock(), stdout().lock());
    frame::write(&mut output, &[frame::READY])?;
    while let Some(context) = frame::read(&mut input, CONTEXT_LIMIT)? {
        let template = frame::read(&mut input, TEMPLATE_LIMIT)?.context("no template came")?;
        grant(cpu_seconds)?;
        let (kind, text) = match render(&template, &context) {
            Ok(text) => (frame::RENDERED, text),
            Err(error) => (frame::REFUSED, error),
        };
        frame::write(&mut output, &[&[kind], text.as_bytes()])?;
    }
    Ok(())
}

fn render(template: &[u8], context: &[u8]) -> Result<String, String> {
    let template = str::from_utf8(template).map_err(|error| format!("it is not UTF-8: {error}"))?;
    let context: Value =
        serde_json::from_slice(context).map_err(|_| "its context is not JSON".to_owned())?;
    // A length beyond what memory can be addressed by is a panic and not a lack of memory.
    catch_unwind(|| template::render(template, &context)).unwrap_or_else(|_| {
        Err("the renderer fails on it; does it ask for something boundless?".into())
    })
}

/// No file can be opened or written, no process started; the memory is bounded.
fn restrain(memory_mib: u64) -> Result<()> {
    let memory = address_space()?.saturating_add(memory_mib << 20);
    for (resource, wanted) in [
        (Resource::RLIMIT_AS, memory),
        (Resource::RLIMIT_CORE, 0),
        (Resource::RLIMIT_FSIZE, 0),
        (Resource::RLIMIT_NPROC, 0),
        // Standard input, output and error are there.
        (Resource::RLIMIT_NOFILE, 3),
    ] {
        let (_, hard) = getrlimit(resource).with_context(|| format!("{resource:?}"))?;
        let limit = wanted.min(hard);
        setrlimit(resource, limit, limit).with_context(|| format!("{resource:?}"))?;
    }
    Ok(())
}

/// Bytes of address space that this process has (proc(5), `VmSize`). The program itself and its libraries take most of it.
fn address_space() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status").context("/proc/self/status")?;
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmSize:")?.trim().strip_suffix(" kB"))
        .and_then(|kilobytes| kilobytes.parse::<u64>().ok())
        .map(|kilobytes| kilobytes << 10)
        .context("/proc/self/status tells no VmSize")
}

/// So many seconds of processor time from now on; then SIGXCPU ends the process.
fn grant(seconds: u64) -> io::Result<()> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let used = usage.user_time().tv_sec() + usage.system_time().tv_sec();
    let (_, hard) = getrlimit(Resource::RLIMIT_CPU)?;
    // The limit counts whole seconds.
    let limit = u64::try_from(used).unwrap_or_default() + seconds + 2;
    Ok(setrlimit(Resource::RLIMIT_CPU, limit.min(hard), hard)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_answer() {
        // More than isize::MAX bytes: the library panics before it asks for memory.
        let template = "{{ '{:>18446744073709551615}'.format(node) }}";
        let said = render(template.as_bytes(), br#"{"node": "n"}"#);
        assert!(said.is_err(), "{said:?}");
    }

    #[test]
    fn what_makes_no_sense_is_said() {
        assert!(render(b"\xff", b"{}").is_err_and(|said| said.contains("UTF-8")));
        assert!(render(b"x", b"{").is_err_and(|said| said.contains("JSON")));
        assert_eq!(render(b"x", b"{}"), Ok("x".to_owned()));
    }
}
