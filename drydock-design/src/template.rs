//! Jinja2 templates of boot actions.
//!
//! [`check`] takes bounded time and space for any text. [`render`] does not: its bounds on instructions and on output say nothing of what one
//! filter, one `+` or one method may take. Texts that nobody vouches for are rendered by a process that the operating system limits.

mod bounds;
pub(crate) mod context;
mod endless;
mod names;
mod paths;

use std::fmt::Write as _;
use std::io;

use minijinja::machinery::parse;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior, Value, context};
use serde::Serialize;

pub use bounds::TEMPLATE_LIMIT;
pub use context::TemplateContext;
use names::{Applied, Names};
pub(crate) use paths::Path;

/// Instructions that one template may use. The published boot actions need a few hundred.
const FUEL: u64 = 1_000_000;

/// Bytes that one template may yield: 16 MiB.
pub const OUTPUT_LIMIT: usize = 16 << 20;

/// Bytes of an error. A name in a template may be as long as the template.
const ERROR_LIMIT: usize = 1_000;

/// The names that a boot action's template can use.
pub const VARIABLES: [&str; 2] = ["node", "action"];

/// Renders a template. Python methods on strings, lists and maps work (`node.labels.items()`); so does the filter `urlencode`, which
/// quotes as Python's `urllib.parse.quote` does. A name that is not defined is an error, never an empty text.
///
/// # Errors
/// Why the template does not parse or cannot be rendered, with its line; never a value of the context.
pub fn render<T: Serialize>(template: &str, context: &T) -> Result<String, String> {
    bounds::check(template)?;
    let environment = environment();
    let parsed = environment
        .template_from_str(template)
        .map_err(|error| describe(&error))?;
    let mut output = Bounded::default();
    let rendered = parsed
        .render_captured_to(Value::from(Serde(context)), &mut output)
        .map_err(|error| describe(&error))
        .map(drop);
    if output.full {
        return Err(format!(
            "the template yields more than {OUTPUT_LIMIT} bytes"
        ));
    }
    rendered?;
    String::from_utf8(output.bytes)
        .map_err(|error| format!("the template yields text that is not UTF-8: {error}"))
}

/// Checks a template without rendering it, in bounded time and space.
///
/// # Errors
/// Why it does not parse, or which name in it nothing defines: a variable, a filter, a test.
pub fn check(template: &str) -> Result<(), String> {
    inspect(template).map(drop)
}

/// What can be said of a template that parses and names what there is.
pub(crate) struct Inspection {
    /// The constant paths into the context that it uses without asking whether they are there.
    pub(crate) paths: Vec<Path>,
    /// Why it cannot come to its end within its bounds.
    pub(crate) endless: Vec<String>,
}

/// As [`check`], and tells what else there is to know before it is rendered.
///
/// # Errors
/// As [`check`].
pub(crate) fn inspect(template: &str) -> Result<Inspection, String> {
    bounds::check(template)?;
    let tree =
        parse(template, "template", SyntaxConfig::default()).map_err(|error| describe(&error))?;
    let names = names::of(&tree);
    let environment = environment();
    let globals: Vec<String> = environment
        .globals()
        .map(|(name, _)| name.to_owned())
        .collect();
    let unknown: Vec<&str> = names
        .variables
        .iter()
        .copied()
        .filter(|name| !VARIABLES.contains(name) && globals.iter().all(|global| global != name))
        .collect();
    if !unknown.is_empty() {
        return Err(shortened(format!(
            "unknown variable {}; known are {}",
            unknown.join(", "),
            VARIABLES.join(", ")
        )));
    }
    all_known(&environment, &names)?;
    Ok(Inspection {
        paths: names.paths.unguarded(),
        endless: names.endless,
    })
}

/// Filters and tests are looked up when they are applied, which may be on one node in a hundred. So each that the template names is looked up
/// here.
fn all_known(environment: &Environment<'_>, names: &Names<'_>) -> Result<(), String> {
    let unknown = names
        .applied
        .iter()
        .filter(|((what, name), _)| !is_known(environment, *what, name))
        .min_by_key(|(_, place)| **place);
    unknown.map_or(Ok(()), |((what, name), place)| {
        Err(shortened(format!(
            "unknown {} {name} in line {} of the template",
            word(*what),
            place.line
        )))
    })
}

fn word(what: Applied) -> &'static str {
    match what {
        Applied::Filter => "filter",
        Applied::Test => "test",
    }
}

/// Asks the template language itself, by its tests `filter` and `test`.
fn is_known(environment: &Environment<'_>, what: Applied, name: &str) -> bool {
    environment
        .compile_expression(&format!("name is {}", word(what)))
        .and_then(|question| question.eval(context! { name }))
        .is_ok_and(|known| known.is_true())
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
        Some(detail) => format!("{}: {}{line}", error.kind(), shortened(detail.to_owned())),
        None => format!("{}{line}", error.kind()),
    }
}

fn shortened(mut text: String) -> String {
    if text.len() > ERROR_LIMIT {
        text.truncate(text.floor_char_boundary(ERROR_LIMIT));
        text.push_str(" ...");
    }
    text
}

/// Takes [`OUTPUT_LIMIT`] bytes.
#[derive(Default)]
struct Bounded {
    bytes: Vec<u8>,
    full: bool,
}

impl io::Write for Bounded {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + data.len() > OUTPUT_LIMIT {
            self.full = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
