//! From an asset of a design to bytes on a machine.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use drydock_design::template::TemplateContext;
use drydock_model::effective::{Asset, PipelineSegment};
use drydock_model::reference::{ReferenceError, ReferenceFault, References};

use super::templates::{TemplateError, Templates};

/// Why an asset could not be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenderError {
    /// The asset's path, or "pkg_list".
    pub asset: String,
    /// What went wrong and what to do.
    pub message: String,
    /// Whether the same request may succeed later.
    pub transient: bool,
}

impl fmt::Display for RenderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "asset {}: {}", self.asset, self.message)
    }
}

impl std::error::Error for RenderError {}

/// The data of one asset: inline or fetched, then through its pipeline. Data enters as bytes.
pub(crate) async fn render(
    asset: &Asset,
    context: &TemplateContext,
    references: &dyn References,
    templates: &dyn Templates,
) -> Result<Vec<u8>, RenderError> {
    let fault = |message: String| RenderError {
        asset: asset.path.clone(),
        message,
        transient: false,
    };
    let unrendered = |error: TemplateError| RenderError {
        transient: error.transient,
        ..fault(error.message)
    };
    let data = match (&asset.data, &asset.location) {
        (Some(data), _) => data.clone().into_bytes(),
        (None, Some(location)) => {
            let location = run(
                location.clone().into_bytes(),
                &asset.location_pipeline,
                context,
                templates,
            )
            .await
            .map_err(unrendered)?;
            let location = String::from_utf8(location)
                .map_err(|_| fault("the location is not text after its pipeline".into()))?;
            references
                .fetch(location.trim())
                .await
                .map_err(|error: ReferenceError| RenderError {
                    asset: asset.path.clone(),
                    transient: error.fault == ReferenceFault::Unavailable,
                    message: error.message,
                })?
        }
        (None, None) => return Err(fault("has neither data nor a location".into())),
    };
    run(data, &asset.data_pipeline, context, templates)
        .await
        .map_err(unrendered)
}

async fn run(
    mut data: Vec<u8>,
    pipeline: &[PipelineSegment],
    context: &TemplateContext,
    templates: &dyn Templates,
) -> Result<Vec<u8>, TemplateError> {
    let fault = |message: String| TemplateError::of_template(message);
    for segment in pipeline {
        data = match segment {
            PipelineSegment::Base64Decode => {
                // Documents fold base64 over lines.
                data.retain(|byte| !byte.is_ascii_whitespace());
                STANDARD
                    .decode(&data)
                    .map_err(|error| fault(format!("base64_decode: {error}")))?
            }
            PipelineSegment::Base64Encode => STANDARD.encode(&data).into_bytes(),
            PipelineSegment::Utf8Decode | PipelineSegment::Utf8Encode => String::from_utf8(data)
                .map_err(|error| fault(format!("not UTF-8 text: {error}")))?
                .into_bytes(),
            PipelineSegment::Template => {
                let text = String::from_utf8(data)
                    .map_err(|error| fault(format!("template: not UTF-8 text: {error}")))?;
                let context = serde_json::to_value(context)
                    .map_err(|error| fault(format!("template: no context: {error}")))?;
                let rendered = templates.render(&text, &context).await;
                rendered
                    .map_err(|error| TemplateError {
                        message: format!("template: {}", error.message),
                        ..error
                    })?
                    .into_bytes()
            }
        };
    }
    Ok(data)
}
