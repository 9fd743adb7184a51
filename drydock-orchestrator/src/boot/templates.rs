//! Who renders the templates of boot actions.

use async_trait::async_trait;
use drydock_design::template;
use serde_json::Value;

/// Why a template was not rendered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateError {
    /// What is wrong with the template or came in between. Never a value of the context.
    pub message: String,
    /// Whether the same template may be rendered later.
    pub transient: bool,
}

impl TemplateError {
    /// The template is at fault.
    pub fn of_template(message: impl Into<String>) -> Self {
        TemplateError {
            message: message.into(),
            transient: false,
        }
    }

    /// Something else is.
    pub fn transient(message: impl Into<String>) -> Self {
        TemplateError {
            message: message.into(),
            transient: true,
        }
    }
}

/// Renders templates. A design is text that anyone may have written, so what renders it for a server takes bounded time and memory, whatever
/// the text is.
#[async_trait]
pub trait Templates: Send + Sync {
    /// Renders a template by a context, which holds secrets.
    ///
    /// # Errors
    /// See [`TemplateError`].
    async fn render(&self, template: &str, context: &Value) -> Result<String, TemplateError>;
}

/// Renders within this process, at once. For texts that somebody vouches for: a template that asks for all memory ends the process.
pub struct InProcess;

#[async_trait]
impl Templates for InProcess {
    async fn render(&self, template: &str, context: &Value) -> Result<String, TemplateError> {
        template::render(template, context).map_err(TemplateError::of_template)
    }
}
