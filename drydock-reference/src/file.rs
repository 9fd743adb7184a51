//! Files: a reference to one on this machine.

use std::path::Path;

use drydock_model::reference::{ReferenceError, ReferenceFault};
use tokio::io::AsyncReadExt;

use crate::allow::AllowList;
use crate::location::Location;

/// Reads a file that lies, links followed, within the allow list.
///
/// # Errors
/// Outside of the list, not there, not a regular file, or larger than `max_bytes`.
pub(crate) async fn read(
    allow: &AllowList,
    path: &Path,
    max_bytes: u64,
) -> Result<Vec<u8>, ReferenceError> {
    let location = Location::File(path.to_owned());
    let real = allow.real_path(path)?;
    let unreadable = |error: std::io::Error| {
        ReferenceError::new(
            ReferenceFault::Refused,
            format!("cannot read {location}: {error}"),
        )
    };
    // Before it is opened: to open a named pipe may block for ever.
    let metadata = tokio::fs::metadata(&real).await.map_err(unreadable)?;
    if !metadata.is_file() {
        let message = format!("cannot read {location}: it is not a regular file; name one file");
        return Err(ReferenceError::new(ReferenceFault::Refused, message));
    }
    let mut bytes = Vec::new();
    let file = tokio::fs::File::open(&real).await.map_err(unreadable)?;
    let read = file
        .take(max_bytes.saturating_add(1))
        .read_to_end(&mut bytes)
        .await
        .map_err(unreadable)?;
    if u64::try_from(read).unwrap_or(u64::MAX) > max_bytes {
        let message =
            format!("{location} is larger than the {max_bytes} bytes that a reference may have");
        return Err(ReferenceError::new(ReferenceFault::TooLarge, message));
    }
    Ok(bytes)
}
