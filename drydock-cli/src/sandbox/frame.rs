//! What passes between a server and a process that renders for it: a length of four bytes, least byte first, and so many bytes.
//!
//! The process says [`READY`] once its limits hold. A request is two frames, the context as JSON and the template; the answer is one, which
//! begins with [`RENDERED`] or [`REFUSED`].

use std::io::{self, Read, Write};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The limits hold.
pub const READY: &[u8] = b"drydock template-worker 1";

/// The text follows.
pub const RENDERED: u8 = 1;

/// Why there is no text follows.
pub const REFUSED: u8 = 0;

/// Reads one frame of at most so many bytes; nothing at the end of the input.
///
/// # Errors
/// It is cut off or too long.
pub fn read(input: &mut impl Read, limit: usize) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    // A length in part is no length, and no end either.
    if input.read(&mut length[..1])? == 0 {
        return Ok(None);
    }
    input.read_exact(&mut length[1..])?;
    let mut body = vec![0; checked(length, limit)?];
    input.read_exact(&mut body)?;
    Ok(Some(body))
}

/// Writes one frame, in parts that follow each other.
///
/// # Errors
/// The other side is gone.
pub fn write(output: &mut impl Write, parts: &[&[u8]]) -> io::Result<()> {
    output.write_all(&length_of(parts)?)?;
    for part in parts {
        output.write_all(part)?;
    }
    output.flush()
}

/// As [`read`], but the end of the input is an error.
///
/// # Errors
/// It is cut off or too long, or there is none.
pub async fn receive(input: &mut (impl AsyncRead + Unpin), limit: usize) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    input.read_exact(&mut length).await?;
    let mut body = vec![0; checked(length, limit)?];
    input.read_exact(&mut body).await?;
    Ok(body)
}

/// As [`write`].
///
/// # Errors
/// The other side is gone.
pub async fn send(output: &mut (impl AsyncWrite + Unpin), body: &[u8]) -> io::Result<()> {
    output.write_all(&length_of(&[body])?).await?;
    output.write_all(body).await?;
    output.flush().await
}

fn checked(length: [u8; 4], limit: usize) -> io::Result<usize> {
    let length = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
    if length > limit {
        let said = format!("a frame of {length} bytes where at most {limit} are taken");
        return Err(io::Error::new(io::ErrorKind::InvalidData, said));
    }
    Ok(length)
}

fn length_of(parts: &[&[u8]]) -> io::Result<[u8; 4]> {
    let sum: usize = parts.iter().map(|part| part.len()).sum();
    u32::try_from(sum)
        .map(u32::to_le_bytes)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "a frame of 4 GiB or more"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut wire = Vec::new();
        write(&mut wire, &[&[RENDERED], b"text"]).unwrap();
        write(&mut wire, &[]).unwrap();
        let mut input = wire.as_slice();
        assert_eq!(read(&mut input, 5).unwrap().unwrap(), b"\x01text");
        assert_eq!(read(&mut input, 5).unwrap().unwrap(), b"");
        assert_eq!(read(&mut input, 5).unwrap(), None);
    }

    #[test]
    fn what_is_too_long_or_cut_off_is_an_error() {
        let mut wire = Vec::new();
        write(&mut wire, &[b"text"]).unwrap();
        assert!(read(&mut wire.as_slice(), 3).is_err());
        for length in 1..wire.len() {
            assert!(read(&mut &wire[..length], 4).is_err(), "{length}");
        }
    }

    #[tokio::test]
    async fn both_sides_speak_the_same() {
        let mut wire = Vec::new();
        send(&mut wire, b"text").await.unwrap();
        assert_eq!(read(&mut wire.as_slice(), 4).unwrap().unwrap(), b"text");
        assert_eq!(receive(&mut wire.as_slice(), 4).await.unwrap(), b"text");
        assert!(receive(&mut wire.as_slice(), 3).await.is_err());
        assert!(receive(&mut &wire[..2], 4).await.is_err());
    }
}
