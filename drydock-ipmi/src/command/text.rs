//! Text in the codings of IPMI: BCD plus, packed six-bit ASCII, Latin 1 and Unicode
//! (IPMI v2.0 section 43.15; Platform Management FRU Information Storage Definition v1.0 revision 1.3 section 13).

/// How the bytes of a text are to be read: bits 7 and 6 of its type/length byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    /// No text: shown as hexadecimal digits.
    Binary,
    /// Two characters a byte: digits, space, dash, period.
    BcdPlus,
    /// Four characters in three bytes, 0x20 to 0x5f.
    SixBit,
    /// ISO 8859-1.
    Latin1,
    /// Two bytes a character, least significant byte first.
    Utf16,
}

impl Coding {
    /// In a sensor data record (section 43.15).
    pub(crate) fn of_record(type_length: u8) -> Self {
        match type_length >> 6 {
            0 => Self::Utf16,
            1 => Self::BcdPlus,
            2 => Self::SixBit,
            _ => Self::Latin1,
        }
    }

    /// In an area of a FRU inventory. Its 8-bit texts are Latin 1 in English (language codes 0 and 25) and Unicode in
    /// every other language.
    pub(crate) fn of_fru(type_length: u8, language: u8) -> Self {
        match type_length >> 6 {
            0 => Self::Binary,
            1 => Self::BcdPlus,
            2 => Self::SixBit,
            _ if matches!(language, 0 | 25) => Self::Latin1,
            _ => Self::Utf16,
        }
    }

    /// The text, without padding at its end and without characters that a terminal would obey.
    pub(crate) fn read(self, bytes: &[u8]) -> String {
        let text: String = match self {
            Self::Binary => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
            Self::BcdPlus => bytes
                .iter()
                .flat_map(|byte| [byte >> 4, byte & 0x0f])
                .filter_map(bcd_plus)
                .collect(),
            Self::SixBit => six_bit(bytes),
            Self::Latin1 => bytes.iter().map(|byte| char::from(*byte)).collect(),
            Self::Utf16 => char::decode_utf16(bytes.chunks_exact(2).map(|pair| {
                pair.iter()
                    .rev()
                    .fold(0, |word, byte| word << 8 | u16::from(*byte))
            }))
            .map(|read| read.unwrap_or(char::REPLACEMENT_CHARACTER))
            .collect(),
        };
        let shown: String = text.chars().filter(|c| !c.is_control()).collect();
        shown.trim_end().to_owned()
    }
}

fn bcd_plus(nibble: u8) -> Option<char> {
    match nibble {
        0..=9 => Some(char::from(b'0' + nibble)),
        0xa => Some(' '),
        0xb => Some('-'),
        0xc => Some('.'),
        _ => None,
    }
}

/// The first character is in the lowest six bits of the first byte.
fn six_bit(bytes: &[u8]) -> String {
    let mut out = String::new();
    for group in bytes.chunks(3) {
        let bits = group
            .iter()
            .rev()
            .fold(0u32, |bits, byte| bits << 8 | u32::from(*byte));
        for at in 0..(group.len() * 8 / 6) {
            let six = u8::try_from(bits >> (6 * at) & 0x3f).unwrap_or(0);
            out.push(char::from(0x20 + six));
        }
    }
    out
}

/// A type/length byte and the text as Latin 1, cut to `longest` bytes; what Latin 1 lacks becomes a question mark. A text
/// of one byte gets a space, because its type/length byte would mean "no more fields" in a FRU inventory.
pub(crate) fn write_latin1(out: &mut Vec<u8>, text: &str, longest: usize) {
    let mut bytes: Vec<u8> = text
        .chars()
        .map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?'))
        .take(longest)
        .collect();
    if bytes.len() == 1 {
        bytes.push(b' ');
    }
    out.push(0xc0 | u8::try_from(bytes.len()).unwrap_or(0));
    out.extend(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_coding_is_read() {
        // "IPMI" in six-bit ASCII, as in the FRU specification's example: 29h DCh A6h.
        assert_eq!(Coding::SixBit.read(&[0x29, 0xdc, 0xa6]), "IPMI");
        assert_eq!(Coding::SixBit.read(&[0x29]), "I");
        assert_eq!(Coding::BcdPlus.read(&[0x12, 0xb3, 0xc4, 0xaf]), "12-3.4");
        assert_eq!(Coding::Latin1.read(b"Fan\xb5 \0\0"), "Fan\u{b5}");
        assert_eq!(Coding::Latin1.read(b"a\x1b[2Jb"), "a[2Jb");
        assert_eq!(Coding::Utf16.read(&[0x41, 0, 0x69, 0x6c]), "A\u{6c69}");
        assert_eq!(Coding::Binary.read(&[0xde, 0x0a]), "de0a");
    }
}
