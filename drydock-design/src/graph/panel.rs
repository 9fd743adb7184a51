//! Panels of the drawing: what each says, how large it is, and where it goes.
//!
//! Measures are in the drawing's own units (pixels at its natural size). Text is set in a face whose characters all have one width, so that
//! the size of a text is known without asking a font.

/// Distance from a panel's edge to what it holds.
pub(super) const PAD: u32 = 12;
/// Height of a line.
pub(super) const ROW: u32 = 20;
/// Distance from one lane to the next.
pub(super) const LANE: u32 = 22;
/// How far the rows of a block stand in.
pub(super) const INDENT: u32 = 12;
/// Width of the piece of lane that stands before a row of the legend.
pub(super) const SWATCH: u32 = 26;
/// Space between panels, and between a text and what follows it.
pub(super) const GAP: u32 = 16;
/// Height of a panel's title.
const TITLE: u32 = 32;
/// Space between blocks, and above and below the rows of each.
pub(super) const BLOCK_GAP: u32 = 6;
/// Columns of text that are shown; the whole of a longer one is in its tooltip.
const COLUMNS: usize = 44;
/// Columns of a network's name above its lane.
const LANE_COLUMNS: usize = 20;

/// A box with a title and blocks of rows, and the lanes of networks beside them.
pub(super) struct Panel {
    /// Title.
    pub(super) title: String,
    /// Whether the design defines what it shows.
    pub(super) defined: bool,
    /// Index and name of the networks whose lanes run through it.
    pub(super) lanes: Vec<(usize, String)>,
    /// Blocks, one below the other.
    pub(super) blocks: Vec<Block>,
}

/// A node, a group of nodes, or the rows of a legend.
#[derive(Default)]
pub(super) struct Block {
    /// First line; a legend has none.
    pub(super) title: Option<String>,
    /// What stands after it.
    pub(super) note: String,
    /// The whole of it, for the tooltip.
    pub(super) hover: String,
    /// Rows.
    pub(super) rows: Vec<Row>,
}

/// An interface, a link or a network.
#[derive(Default)]
pub(super) struct Row {
    /// Name.
    pub(super) title: String,
    /// What stands after it.
    pub(super) note: String,
    /// Index of the network whose colour stands before it.
    pub(super) swatch: Option<usize>,
    /// Where its line stops: the position among the panel's lanes, and a tooltip.
    pub(super) stops: Vec<(usize, String)>,
}

/// Size of a panel and of what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Measure {
    pub(super) width: u32,
    pub(super) height: u32,
    /// Height above the first block.
    pub(super) head: u32,
    /// Where the notes of the rows begin.
    pub(super) notes: u32,
    /// Where the lanes begin.
    pub(super) lanes: u32,
}

impl Panel {
    pub(super) fn measure(&self) -> Measure {
        let rows = || self.blocks.iter().flat_map(|block| &block.rows);
        let start = rows().map(Row::start).max().unwrap_or(PAD);
        let names = rows().map(|row| width(&cut(&row.title))).max();
        let notes = start + names.unwrap_or(0) + GAP;
        let ends = rows().map(|row| notes + width(&cut(&row.note)));
        let titles = self.blocks.iter().map(|block| PAD + block.title_width());
        let title = PAD + width(&cut(&self.title));
        let text = ends.chain(titles).fold(title, u32::max);
        let lanes = text + GAP;
        let right = match lane_count(&self.lanes) {
            0 => text,
            count => lanes + count * LANE,
        };
        let names = self.lanes.iter().map(|(_, name)| width(&cut_lane(name)));
        let head = names
            .max()
            .map_or(TITLE, |longest| TITLE.max(longest + GAP));
        let blocks: u32 = self.blocks.iter().map(|b| b.height() + BLOCK_GAP).sum();
        Measure {
            width: right + PAD,
            height: head + blocks + BLOCK_GAP,
            head,
            notes,
            lanes,
        }
    }
}

impl Block {
    pub(super) fn height(&self) -> u32 {
        let title = u32::from(self.title.is_some());
        (title + count(self.rows.len())) * ROW + BLOCK_GAP
    }

    fn title_width(&self) -> u32 {
        let title = self.title.as_deref().map_or(0, |title| width(&cut(title)));
        match self.note.as_str() {
            "" => title,
            note => title + GAP + width(&cut(note)),
        }
    }
}

impl Row {
    /// Where its text begins.
    pub(super) fn start(&self) -> u32 {
        PAD + self.swatch.map_or(INDENT, |_| SWATCH + BLOCK_GAP)
    }
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX / 64)
}

fn lane_count(lanes: &[(usize, String)]) -> u32 {
    count(lanes.len())
}

/// Width of a text: 7.25 a column at a size of 12, a little more than the 0.602 em of common monospaced faces.
pub(super) fn width(text: &str) -> u32 {
    count(columns(text)) * 29 / 4 + 1
}

fn columns(text: &str) -> usize {
    text.chars().map(column).sum()
}

/// Columns of a character. From Hangul Jamo (U+1100) on most scripts are set wide; too wide a box is better than too narrow a one.
fn column(c: char) -> usize {
    if c < '\u{1100}' || matches!(c, '…' | '·') {
        1
    } else {
        2
    }
}

/// A text as it is shown: cut at its end when it is too long.
pub(super) fn cut(text: &str) -> String {
    cut_to(text, COLUMNS)
}

/// The name of a lane as it is shown.
pub(super) fn cut_lane(text: &str) -> String {
    cut_to(text, LANE_COLUMNS)
}

fn cut_to(text: &str, limit: usize) -> String {
    if columns(text) <= limit {
        return text.to_owned();
    }
    let mut left = limit - 1;
    let fits = |c: &char| match left.checked_sub(column(*c)) {
        Some(rest) => {
            left = rest;
            true
        }
        None => false,
    };
    text.chars().take_while(fits).chain(['…']).collect()
}

/// Places boxes of these sizes on shelves: from left to right while they fit the width, then below the highest of the shelf. Places, and the
/// width and height that are used.
pub(super) fn shelve(sizes: &[(u32, u32)], limit: u32) -> (Vec<(u32, u32)>, u32, u32) {
    let (mut x, mut y, mut shelf, mut used) = (0, 0, 0, 0);
    let mut places = Vec::with_capacity(sizes.len());
    for (width, height) in sizes {
        if x > 0 && x + width > limit {
            x = 0;
            y += shelf + GAP;
            shelf = 0;
        }
        places.push((x, y));
        used = used.max(x + width);
        shelf = shelf.max(*height);
        x += width + GAP;
    }
    (places, used, y + shelf)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_by_columns() {
        assert_eq!(cut_to("abcdef", 6), "abcdef");
        assert_eq!(cut_to("abcdefg", 6), "abcde…");
        assert_eq!(cut_to("船渠船渠", 6), "船渠…");
        assert!(width("mm") < width("mmm"));
    }

    #[test]
    fn shelves_fill_from_the_left() {
        let (places, width, height) = shelve(&[(50, 10), (40, 30), (60, 5)], 110);
        assert_eq!(places, [(0, 0), (66, 0), (0, 46)]);
        assert_eq!((width, height), (106, 51));
    }
}
