//! The picture as SVG 1.1, drawn here.
//!
//! Each network has a colour, a line in the legend, and a lane: a vertical line of that colour through every rack that uses it. Each interface
//! has a row, and a line from there with a dot on the lane of each network it carries. The picture needs nothing else: no script, no font, no
//! style sheet. It follows the reader's light or dark setting.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::color;
use super::panel::{
    BLOCK_GAP, Block, GAP, INDENT, LANE, Measure, PAD, Panel, ROW, Row, SWATCH, cut, cut_lane,
    shelve, width,
};
use super::topology::{Machine, Port, Rack, Topology};

/// Height of the site's title.
const TITLE: u32 = 44;

/// A picture no narrower than this reads well on a page.
const LEAST_WIDTH: u32 = 960;

const STYLE: &str = "\
svg { font: 12px ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace; }
.page { fill: #ffffff; }
.box { fill: #f3f5f8; stroke: #c4ccd6; }
.node { fill: #ffffff; stroke: #dde3ea; }
.undefined { stroke: #b35900; stroke-dasharray: 5 3; }
.title { fill: #1c2430; font-weight: bold; }
.site { font-size: 18px; }
.name { fill: #1c2430; }
.note { fill: #5a6675; }
.wire { stroke: #98a3b0; }
.lane { stroke-width: 3; stroke-linecap: round; }
.dot { stroke: #ffffff; stroke-width: 1.5; }
@media (prefers-color-scheme: dark) {
.page { fill: #14181d; }
.box { fill: #1d2329; stroke: #3b4550; }
.node { fill: #262d35; stroke: #353f4a; }
.undefined { stroke: #e39b4b; }
.title, .name { fill: #e8edf2; }
.note { fill: #a3afbc; }
.wire { stroke: #6b7785; }
.dot { stroke: #14181d; }
}
";

/// Draws a site.
#[must_use]
pub fn svg(topology: &Topology) -> String {
    let legend = [networks(topology), links(topology)];
    let racks: Vec<Panel> = topology
        .racks
        .iter()
        .map(|one| rack(topology, one))
        .collect();
    let legend = measured(&legend);
    let racks = measured(&racks);
    let sizes = |panels: &[(&Panel, Measure)]| -> Vec<(u32, u32)> {
        let sizes = panels.iter().map(|(_, size)| (size.width, size.height));
        sizes.collect()
    };
    let limit = page_width(&sizes(&racks)).max(page_width(&sizes(&legend)));
    let (legend_places, legend_width, legend_height) = shelve(&sizes(&legend), limit);
    let (rack_places, rack_width, rack_height) = shelve(&sizes(&racks), limit);

    let heading = heading(topology);
    let below = TITLE + legend_height + GAP;
    let page = legend_width
        .max(rack_width)
        .max(width(&cut(&heading)) * 3 / 2)
        + 2 * GAP;
    let height = below + rack_height + GAP;
    let summary = summary(topology);
    let mut svg = Svg(String::new());
    svg.line(format_args!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{page}\" height=\"{height}\" viewBox=\"0 0 {page} {height}\" role=\"img\" aria-labelledby=\"site-title site-summary\">"
    ));
    svg.line(format_args!(
        "<title id=\"site-title\">{}</title>\n<desc id=\"site-summary\">{}</desc>",
        escape(&heading),
        escape(&summary)
    ));
    svg.line(format_args!("<style>\n{STYLE}</style>"));
    svg.line(format_args!(
        "<rect class=\"page\" width=\"{page}\" height=\"{height}\"/>"
    ));
    svg.text("title site", GAP, 28, &cut(&heading));
    for ((panel, size), (x, y)) in legend.iter().zip(legend_places) {
        svg.panel(panel, *size, GAP + x, TITLE + y);
    }
    for ((panel, size), (x, y)) in racks.iter().zip(rack_places) {
        svg.panel(panel, *size, GAP + x, below + y);
    }
    svg.0.push_str("</svg>\n");
    svg.0
}

fn measured(panels: &[Panel]) -> Vec<(&Panel, Measure)> {
    panels
        .iter()
        .map(|panel| (panel, panel.measure()))
        .collect()
}

/// A width that makes the page about half as wide again as it is high.
fn page_width(sizes: &[(u32, u32)]) -> u32 {
    let area: u64 = sizes
        .iter()
        .map(|(width, height)| u64::from(width + GAP) * u64::from(height + GAP))
        .sum();
    let side = u32::try_from((area * 3 / 2).isqrt()).unwrap_or(u32::MAX / 4);
    let widest = sizes.iter().map(|(width, _)| *width).max().unwrap_or(0);
    side.max(widest).max(LEAST_WIDTH)
}

fn heading(topology: &Topology) -> String {
    if topology.site.is_empty() {
        "Site without a region".to_owned()
    } else {
        format!("Site {}", topology.site)
    }
}

fn summary(topology: &Topology) -> String {
    let count = |number: usize, what: &str| {
        format!("{number} {what}{}", if number == 1 { "" } else { "s" })
    };
    let racks = topology.racks.iter().filter(|rack| rack.name.is_some());
    format!(
        "{}, {}, {}, {}. Each row is an interface; a dot shows that it carries the network of that lane.",
        count(racks.count(), "rack"),
        count(topology.node_count(), "node"),
        count(topology.links.len(), "link"),
        count(topology.networks.len(), "network"),
    )
}

fn networks(topology: &Topology) -> Panel {
    let row = |(at, network): (usize, &super::Network)| Row {
        title: network.name.clone(),
        note: network.facts().join(" · "),
        swatch: Some(at),
        stops: Vec::new(),
    };
    legend(
        "Networks",
        Vec::new(),
        topology.networks.iter().enumerate().map(row),
    )
}

fn links(topology: &Topology) -> Panel {
    let used = topology.links.iter().flat_map(|link| &link.networks);
    let lanes = Lanes::new(topology, used.copied());
    let rows = topology.links.iter().map(|link| Row {
        title: link.name.clone(),
        note: link.facts().join(" · "),
        swatch: None,
        stops: link
            .networks
            .iter()
            .filter_map(|at| {
                let hover = format!("link {} allows {}", link.name, topology.networks[*at].name);
                lanes.stop(*at, hover)
            })
            .collect(),
    });
    let rows: Vec<Row> = rows.collect();
    legend("Links", lanes.0, rows)
}

fn legend(title: &str, lanes: Vec<(usize, String)>, rows: impl IntoIterator<Item = Row>) -> Panel {
    Panel {
        title: title.to_owned(),
        defined: true,
        lanes,
        blocks: vec![Block {
            rows: rows.into_iter().collect(),
            ..Block::default()
        }],
    }
}

fn rack(topology: &Topology, rack: &Rack) -> Panel {
    let ports = rack.machines.iter().flat_map(|machine| &machine.ports);
    let used = ports.flat_map(|port| port.rides.iter().map(|ride| ride.network));
    let lanes = Lanes::new(topology, used);
    let mut blocks: Vec<Block> = rack
        .machines
        .iter()
        .map(|one| machine(topology, one, &lanes))
        .collect();
    if blocks.is_empty() {
        blocks.push(Block {
            title: Some("no nodes".into()),
            ..Block::default()
        });
    }
    Panel {
        title: match (&rack.name, rack.defined) {
            (None, _) => "No rack".into(),
            (Some(name), true) => format!("Rack {name}"),
            (Some(name), false) => format!("Rack {name} (not defined)"),
        },
        defined: rack.defined,
        lanes: lanes.0,
        blocks,
    }
}

fn machine(topology: &Topology, machine: &Machine, lanes: &Lanes) -> Block {
    let title = match machine.names.as_slice() {
        [first, second, rest @ ..] => {
            let more = if rest.is_empty() { "" } else { ", …" };
            format!("{} nodes: {first}, {second}{more}", machine.names.len())
        }
        names => names.concat(),
    };
    let profile = machine.profile.as_deref().unwrap_or_default();
    Block {
        title: Some(title),
        note: profile.to_owned(),
        hover: format!("{} ({profile})", machine.names.join(", ")),
        rows: machine
            .ports
            .iter()
            .map(|one| port(topology, machine, one, lanes))
            .collect(),
    }
}

fn port(topology: &Topology, machine: &Machine, port: &Port, lanes: &Lanes) -> Row {
    let mut note = vec![port.devices.join("+")];
    note.extend(port.link.map(|link| topology.links[link].name.clone()));
    note.retain(|part| !part.is_empty());
    let stops = port.rides.iter().filter_map(|ride| {
        let network = &topology.networks[ride.network];
        let mut hover = format!("{} on {}", port.name, network.name);
        if let [one] = machine.names.as_slice() {
            hover = format!("{one} {hover}");
        }
        let facts = ride.address.iter().cloned().chain(network.facts());
        for fact in facts {
            hover.push_str(", ");
            hover.push_str(&fact);
        }
        lanes.stop(ride.network, hover)
    });
    Row {
        title: port.name.clone(),
        note: note.join(" · "),
        swatch: None,
        stops: stops.collect(),
    }
}

/// The lanes of a panel: index and name of each network, in design order.
struct Lanes(Vec<(usize, String)>);

impl Lanes {
    fn new(topology: &Topology, used: impl Iterator<Item = usize>) -> Self {
        let used: BTreeSet<usize> = used.collect();
        let name = |at: usize| (at, topology.networks[at].name.clone());
        Lanes(used.into_iter().map(name).collect())
    }

    fn stop(&self, network: usize, hover: String) -> Option<(usize, String)> {
        let at = self.0.binary_search_by_key(&network, |(at, _)| *at).ok()?;
        Some((at, hover))
    }
}

struct Svg(String);

impl Svg {
    fn line(&mut self, what: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "{what}");
    }

    fn text(&mut self, class: &str, x: u32, y: u32, text: &str) {
        if !text.is_empty() {
            let text = escape(text);
            self.line(format_args!(
                "<text class=\"{class}\" x=\"{x}\" y=\"{y}\">{text}</text>"
            ));
        }
    }

    fn panel(&mut self, panel: &Panel, size: Measure, x: u32, y: u32) {
        let Measure {
            width: w,
            height: h,
            ..
        } = size;
        let undefined = if panel.defined { "" } else { " undefined" };
        self.line(format_args!(
            "<g>\n<title>{}</title>\n<rect class=\"box{undefined}\" x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" rx=\"6\"/>",
            escape(&panel.title)
        ));
        self.text("title", x + PAD, y + 22, &cut(&panel.title));
        let mut top = y + size.head;
        for block in panel
            .blocks
            .iter()
            .filter(|block| block.title.is_some() || !block.rows.is_empty())
        {
            let (left, wide, high) = (x + PAD / 2, w - PAD, block.height());
            self.line(format_args!(
                "<rect class=\"node\" x=\"{left}\" y=\"{top}\" width=\"{wide}\" height=\"{high}\" rx=\"4\"/>"
            ));
            top += high + BLOCK_GAP;
        }
        self.lanes(panel, size, x, y);
        let mut top = y + size.head;
        for block in &panel.blocks {
            self.block(panel, block, size, x, top);
            top += block.height() + BLOCK_GAP;
        }
        self.line(format_args!("</g>"));
    }

    fn lanes(&mut self, panel: &Panel, size: Measure, x: u32, y: u32) {
        let (top, bottom) = (y + size.head - 4, y + size.height - PAD);
        for (at, (network, name)) in panel.lanes.iter().enumerate() {
            let center = x + lane(size, at);
            let colour = color::of_network(*network);
            self.line(format_args!(
                "<line class=\"lane\" x1=\"{center}\" y1=\"{top}\" x2=\"{center}\" y2=\"{bottom}\" stroke=\"{colour}\"/>"
            ));
            let (baseline, foot) = (center + 4, top - 4);
            self.line(format_args!(
                "<text class=\"note\" transform=\"translate({baseline} {foot}) rotate(-90)\"><title>{}</title>{}</text>",
                escape(name),
                escape(&cut_lane(name))
            ));
        }
    }

    fn block(&mut self, panel: &Panel, block: &Block, size: Measure, x: u32, top: u32) {
        self.line(format_args!("<g>"));
        if !block.hover.is_empty() {
            self.line(format_args!("<title>{}</title>", escape(&block.hover)));
        }
        let mut middle = top + BLOCK_GAP / 2 + ROW / 2;
        if let Some(title) = &block.title {
            let title = cut(title);
            self.text("title", x + PAD, middle + 4, &title);
            let after = x + PAD + width(&title) + GAP;
            self.text("note", after, middle + 4, &cut(&block.note));
            middle += ROW;
        }
        for row in &block.rows {
            self.row(panel, row, size, x, middle);
            middle += ROW;
        }
        self.line(format_args!("</g>"));
    }

    fn row(&mut self, panel: &Panel, row: &Row, size: Measure, x: u32, middle: u32) {
        let whole = [row.title.as_str(), &row.note].join("  ");
        self.line(format_args!("<g>\n<title>{}</title>", escape(whole.trim())));
        if let Some(network) = row.swatch {
            let (from, to) = (x + PAD, x + PAD + SWATCH - INDENT);
            let colour = color::of_network(network);
            self.line(format_args!(
                "<line class=\"lane\" x1=\"{from}\" y1=\"{middle}\" x2=\"{to}\" y2=\"{middle}\" stroke=\"{colour}\"/>"
            ));
        }
        let note = cut(&row.note);
        let end = if note.is_empty() {
            x + row.start() + width(&cut(&row.title))
        } else {
            x + size.notes + width(&note)
        };
        if let Some(furthest) = row.stops.iter().map(|(at, _)| *at).max() {
            let (from, to) = (end + BLOCK_GAP, x + lane(size, furthest));
            self.line(format_args!(
                "<line class=\"wire\" x1=\"{from}\" y1=\"{middle}\" x2=\"{to}\" y2=\"{middle}\"/>"
            ));
        }
        for (at, hover) in &row.stops {
            let center = x + lane(size, *at);
            let colour = color::of_network(panel.lanes[*at].0);
            self.line(format_args!(
                "<circle class=\"dot\" cx=\"{center}\" cy=\"{middle}\" r=\"5.5\" fill=\"{colour}\"><title>{}</title></circle>",
                escape(hover)
            ));
        }
        self.text("name", x + row.start(), middle + 4, &cut(&row.title));
        self.text("note", x + size.notes, middle + 4, &note);
        self.line(format_args!("</g>"));
    }
}

/// The middle of a lane.
fn lane(size: Measure, at: usize) -> u32 {
    size.lanes + LANE / 2 + u32::try_from(at).unwrap_or(0) * LANE
}

/// A text as XML can hold it (XML 1.0, sections 2.2 and 2.4). Line breaks become spaces; what XML has no place for is replaced.
fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '\n' | '\r' | '\t' => safe.push(' '),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn markup_stays_text() {
        assert_eq!(
            escape("<a b='\"'>&amp;\n\u{0}\u{1b}</a>"),
            "&lt;a b=&#39;&quot;&#39;&gt;&amp;amp; \u{fffd}\u{fffd}&lt;/a&gt;"
        );
    }
}
