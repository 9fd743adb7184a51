//! Jinja2 templates of boot actions, in bounded time and space.

use std::fmt::Write as _;
use std::io;

use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior, Value};
use serde::Serialize;

/// Instructions that one template may use. The published boot actions need a few hundred.
const FUEL: u64 = 1_000_000;

/// Bytes that one template may yield.
const OUTPUT_LIMIT: usize = 16 << 20;

/// The names that a boot action's template can use.
pub const VARIABLES: [&str; 2] = ["node", "action"];

/// Renders a template. Python methods on strings, lists and maps work (`node.labels.items()`); so does the filter `urlencode`, which
/// quotes as Python's `urllib.parse.quote` does. A name that is not defined is an error, never an empty text.
///
/// # Errors
/// Why the template does not parse or cannot be rendered, with its line; never a value of the context.
pub fn render<T: Serialize>(template: &str, context: &T) -> Result<String, String> {
    let environment = environment();
    let parsed = environment
        .template_from_str(template)
        .map_err(|error| describe(&error))?;
    let mut output = Bounded { bytes: Vec::new() };
    parsed
        .render_captured_to(Value::from(Serde(context)), &mut output)
        .map_err(|error| describe(&error))?;
    String::from_utf8(output.bytes)
        .map_err(|error| format!("the template yields text that is not UTF-8: {error}"))
}

/// Checks a template without rendering it.
///
/// # Errors
/// Why it does not parse, or which name in it nothing defines.
pub fn check(template: &str) -> Result<(), String> {
    let environment = environment();
    let parsed = environment
        .template_from_str(template)
        .map_err(|error| describe(&error))?;
    let mut unknown: Vec<String> = parsed
        .undeclared_variables(false)
        .into_iter()
        .filter(|name| !VARIABLES.contains(&name.as_str()))
        .filter(|name| environment.globals().all(|(global, _)| global != name))
        .collect();
    unknown.sort();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(format!(
        "unknown variable {}; known are {}",
        unknown.join(", "),
        VARIABLES.join(", ")
    ))
}

fn environment<'a>() -> Environment<'a> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    environment.set_fuel(Some(FUEL));
    environment.add_filter("urlencode", urlencode);
    environment
}

/// RFC 3986 unreserved characters and the slash stay as they are.
fn urlencode(value: &Value) -> Result<String, minijinja::Error> {
    if value.is_undefined() {
        return Err(minijinja::Error::from(minijinja::ErrorKind::UndefinedError));
    }
    let text = value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned);
    let mut quoted = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"_.-~/".contains(&byte) {
            quoted.push(char::from(byte));
        } else {
            let _ = write!(quoted, "%{byte:02X}");
        }
    }
    Ok(quoted)
}

fn describe(error: &minijinja::Error) -> String {
    let line = error.line().map_or_else(String::new, |line| {
        format!(" in line {line} of the template")
    });
    match error.detail() {
        Some(detail) => format!("{}: {detail}{line}", error.kind()),
        None => format!("{}{line}", error.kind()),
    }
}

struct Bounded {
    bytes: Vec<u8>,
}

impl io::Write for Bounded {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + data.len() > OUTPUT_LIMIT {
            return Err(io::Error::other(format!(
                "the template yields more than {OUTPUT_LIMIT} bytes"
            )));
        }
        self.bytes.extend_from_slice(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
