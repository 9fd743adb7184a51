//! Where a value stands.

use std::fmt;

/// A place in a text. Lines and columns count from 1; columns count characters.
///
/// A document may be put together from several texts (layers, substitutions), so a position also says which of them it is in. Everything fits
/// eight bytes, since a site of ten thousand nodes has a million positions: a line or column above 16,777,215 is told as that.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(u64);

const BITS: u32 = 24;
const MAX: u64 = (1 << BITS) - 1;

impl Position {
    /// A place in the text that the document stands in.
    #[must_use]
    pub fn new(line: usize, column: usize) -> Self {
        let number = |value: usize| u64::try_from(value).unwrap_or(MAX).min(MAX);
        Position(number(line) << BITS | number(column))
    }

    /// The same place in another text: 0 is the one that the document stands in, `n` the n-th of
    /// [`Document::origins`](crate::design::Document::origins), from 1.
    #[must_use]
    pub fn in_text(self, origin: u16) -> Self {
        Position(u64::from(origin) << (2 * BITS) | self.0 & ((1 << (2 * BITS)) - 1))
    }

    /// Line, from 1.
    #[must_use]
    pub fn line(self) -> u32 {
        self.number(BITS)
    }

    /// Column in characters, from 1.
    #[must_use]
    pub fn column(self) -> u32 {
        self.number(0)
    }

    /// Which text (see [`Position::in_text`]).
    #[must_use]
    pub fn origin(self) -> usize {
        usize::from((self.0 >> (2 * BITS)) as u16)
    }

    fn number(self, shift: u32) -> u32 {
        u32::try_from((self.0 >> shift) & MAX).unwrap_or(u32::MAX)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line(), self.column())
    }
}

impl fmt::Debug for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.origin() {
            0 => write!(f, "{self}"),
            origin => write!(f, "{self} in text {origin}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_three_numbers_are_kept() {
        let place = Position::new(7, 12);
        assert_eq!((place.line(), place.column(), place.origin()), (7, 12, 0));
        let there = place.in_text(65_535);
        assert_eq!(
            (there.line(), there.column(), there.origin()),
            (7, 12, 65_535)
        );
        assert_eq!(there.in_text(0), place);
        assert_eq!(size_of::<Position>(), 8);
    }

    #[test]
    fn what_is_too_large_is_told_as_the_largest() {
        let place = Position::new(usize::MAX, 1 << 24);
        assert_eq!(
            (place.line(), place.column(), place.origin()),
            (16_777_215, 16_777_215, 0)
        );
    }
}
