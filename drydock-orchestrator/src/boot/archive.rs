//! Assets as a gzip tar: GNU format, owner root, fixed times, so that the same input gives the same bytes.

use std::io;

use flate2::{Compression, GzBuilder};

/// One file of an archive.
pub(crate) struct Member {
    /// Path as the design writes it.
    pub path: String,
    /// Mode bits.
    pub mode: u32,
    /// Content.
    pub data: Vec<u8>,
}

/// Packs members in their order.
pub(crate) fn pack(members: &[Member]) -> io::Result<Vec<u8>> {
    let gzip = GzBuilder::new()
        .mtime(0)
        .write(Vec::new(), Compression::default());
    let mut tar = tar::Builder::new(gzip);
    for member in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(member.data.len() as u64);
        header.set_mode(member.mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_entry_type(tar::EntryType::Regular);
        tar.append_data(&mut header, safe_name(&member.path), member.data.as_slice())?;
    }
    tar.into_inner()?.finish()
}

/// The path without a leading slash and without components that lead elsewhere.
fn safe_name(path: &str) -> String {
    path.split('/')
        .filter(|part| !matches!(*part, "" | "." | ".."))
        .collect::<Vec<_>>()
        .join("/")
}

#[cfg(test)]
mod tests {
    use super::safe_name;

    #[test]
    fn names_stay_inside() {
        for (path, name) in [
            ("/etc/a", "etc/a"),
            ("../../etc/a", "etc/a"),
            ("//x/./y/../z", "x/y/z"),
            ("/", ""),
        ] {
            assert_eq!(safe_name(path), name, "{path}");
        }
    }
}
