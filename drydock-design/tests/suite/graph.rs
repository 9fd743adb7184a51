//! The picture of a site: everything is in it, nothing lies on anything else, and no name can break it.

use std::fmt::Write as _;

use drydock_design::graph::{COLLAPSE_ABOVE, Topology, dot, svg};
use drydock_model::effective::EffectiveDesign;
use roxmltree::Document as Xml;

use crate::site::{base_with, compiled, documents, sample};

fn topology(design: &EffectiveDesign) -> Topology {
    Topology::of(design, None).unwrap()
}

fn base() -> EffectiveDesign {
    compiled(&base_with(&[]).0).design
}

/// The sound design with so many nodes, ten in a rack; every third without a profile's bond.
fn grown(nodes: usize) -> EffectiveDesign {
    let (_, mut text) = base_with(&[]);
    text.truncate(
        text.find("---\napiVersion: drydock/v1\nkind: BaremetalNode")
            .unwrap(),
    );
    for at in 0..nodes {
        let _ = writeln!(
            text,
            "---\napiVersion: drydock/v1\nkind: BaremetalNode\nmetadata: {{name: node{at:04}}}\nspec:\n  host_profile: base\n  metadata: {{rack: rack{:03}}}",
            at / 10
        );
        if at % 3 == 0 {
            text.push_str("  interfaces: {bond0: null}\n");
        }
    }
    compiled(&documents("grown.yaml", text)).design
}

#[derive(Clone, Copy, Debug)]
struct Rect {
    x: f64,
    y: f64,
    right: f64,
    bottom: f64,
}

impl Rect {
    fn holds(&self, other: &Rect) -> bool {
        self.x <= other.x
            && self.y <= other.y
            && self.right >= other.right
            && self.bottom >= other.bottom
    }

    fn meets(&self, other: &Rect) -> bool {
        self.x < other.right
            && other.x < self.right
            && self.y < other.bottom
            && other.y < self.bottom
    }
}

fn number(node: roxmltree::Node<'_, '_>, name: &str) -> f64 {
    node.attribute(name)
        .map_or(0.0, |text| text.parse().unwrap())
}

fn rects(xml: &Xml<'_>, class: &str) -> Vec<Rect> {
    xml.descendants()
        .filter(|node| node.has_tag_name("rect"))
        .filter(|node| {
            node.attribute("class")
                .unwrap()
                .split(' ')
                .any(|own| own == class)
        })
        .map(|node| Rect {
            x: number(node, "x"),
            y: number(node, "y"),
            right: number(node, "x") + number(node, "width"),
            bottom: number(node, "y") + number(node, "height"),
        })
        .collect()
}

/// Nothing lies on anything else, and everything lies where it belongs.
fn check_layout(drawn: &str) {
    let xml = Xml::parse(drawn).unwrap();
    let page = rects(&xml, "page")[0];
    let (boxes, nodes) = (rects(&xml, "box"), rects(&xml, "node"));
    assert!(boxes.len() >= 2);
    for (at, one) in boxes.iter().enumerate() {
        assert!(page.holds(one), "{one:?} is not on the page {page:?}");
        for other in &boxes[..at] {
            assert!(!one.meets(other), "{one:?} and {other:?}");
        }
    }
    for (at, one) in nodes.iter().enumerate() {
        assert_eq!(
            boxes.iter().filter(|panel| panel.holds(one)).count(),
            1,
            "{one:?}"
        );
        for other in &nodes[..at] {
            assert!(!one.meets(other), "{one:?} and {other:?}");
        }
    }
    for dot in xml.descendants().filter(|node| node.has_tag_name("circle")) {
        let (x, y, r) = (number(dot, "cx"), number(dot, "cy"), number(dot, "r"));
        let dot = Rect {
            x: x - r,
            y: y - r,
            right: x + r,
            bottom: y + r,
        };
        assert!(
            nodes.iter().any(|node| node.holds(&dot)),
            "{dot:?} is in no row"
        );
    }
    check_texts(&xml, &boxes);
}

/// The place of a text, at 0.602 em of 12 a column; `None` for the title of the page, which is larger.
fn place(text: roxmltree::Node<'_, '_>) -> Option<Rect> {
    if text.attribute("class") == Some("title site") {
        return None;
    }
    let shown: String = text
        .children()
        .filter(roxmltree::Node::is_text)
        .filter_map(|part| part.text())
        .collect();
    let length = shown.chars().count() as f64 * 0.602 * 12.0;
    Some(match text.attribute("transform") {
        None => {
            let (x, y) = (number(text, "x"), number(text, "y"));
            Rect {
                x,
                y: y - 9.0,
                right: x + length,
                bottom: y + 3.0,
            }
        }
        Some(turned) => {
            let (at, _) = turned
                .strip_prefix("translate(")
                .unwrap()
                .split_once(')')
                .unwrap();
            let (x, y) = at.split_once(' ').unwrap();
            let (x, y): (f64, f64) = (x.parse().unwrap(), y.parse().unwrap());
            Rect {
                x: x - 9.0,
                y: y - length,
                right: x + 3.0,
                bottom: y,
            }
        }
    })
}

/// Each text stays within its box, off the lanes, and off every other text.
fn check_texts(xml: &Xml<'_>, boxes: &[Rect]) {
    let with = |tag: &'static str| xml.descendants().filter(move |node| node.has_tag_name(tag));
    let lanes: Vec<Rect> = with("line")
        .filter(|lane| lane.attribute("class") == Some("lane"))
        .filter(|lane| number(*lane, "x1") == number(*lane, "x2"))
        .map(|lane| Rect {
            x: number(lane, "x1") - 1.5,
            y: number(lane, "y1"),
            right: number(lane, "x1") + 1.5,
            bottom: number(lane, "y2"),
        })
        .collect();
    let texts: Vec<Rect> = with("text").filter_map(place).collect();
    assert!(texts.len() >= 2);
    for (at, text) in texts.iter().enumerate() {
        assert!(
            boxes.iter().any(|panel| panel.holds(text)),
            "{text:?} sticks out"
        );
        assert!(
            !lanes.iter().any(|lane| lane.meets(text)),
            "{text:?} lies on a lane"
        );
        for other in &texts[..at] {
            assert!(!text.meets(other), "{text:?} lies on {other:?}");
        }
    }
}

/// All text of a picture, tooltips and all.
fn words(drawn: &str) -> String {
    let xml = Xml::parse(drawn).unwrap();
    let texts = xml.descendants().filter(|node| node.is_text());
    texts
        .map(|node| node.text().unwrap())
        .collect::<Vec<_>>()
        .join("\n")
}

fn check_names(design: &EffectiveDesign) {
    let topology = topology(design);
    let (drawn, graph) = (words(&svg(&topology)), dot(&topology));
    let nodes = design.nodes.iter().map(|node| &node.name);
    let racks = design.racks.iter().map(|rack| &rack.name);
    let links = design.links.iter().map(|link| &link.name);
    let networks = design.networks.iter().map(|network| &network.name);
    for name in nodes.chain(racks).chain(links).chain(networks) {
        assert!(drawn.contains(name.as_str()), "{name} is not drawn");
        assert!(graph.contains(name.as_str()), "{name} is not in the graph");
    }
    for network in &design.networks {
        assert!(
            drawn.contains(&network.cidr.to_string()) && graph.contains(&network.cidr.to_string())
        );
        if let Some(vlan) = network.vlan {
            assert!(
                drawn.contains(&format!("VLAN {vlan}")) && graph.contains(&format!("VLAN {vlan}"))
            );
        }
    }
}

#[test]
fn everything_of_the_samples_is_drawn_in_its_place() {
    for name in [
        "seaworthy.yaml",
        "airsloop.yaml",
        "fullsite-yaml.yaml",
        "routedomain.yaml",
    ] {
        let design = compiled(&sample(name)).design;
        check_names(&design);
        check_layout(&svg(&topology(&design)));
    }
}

#[test]
fn any_number_of_nodes_is_drawn_in_its_place() {
    for nodes in [0, 1, 2, 13, COLLAPSE_ABOVE, COLLAPSE_ABOVE + 1] {
        let design = grown(nodes);
        assert_eq!(design.nodes.len(), nodes);
        check_names(&design);
        check_layout(&svg(&topology(&design)));
    }
}

#[test]
fn many_nodes_that_look_the_same_are_drawn_once() {
    let few = topology(&grown(COLLAPSE_ABOVE));
    assert!(
        few.racks
            .iter()
            .flat_map(|rack| &rack.machines)
            .all(|machine| machine.names.len() == 1)
    );
    let design = grown(1000);
    let many = topology(&design);
    assert_eq!((many.node_count(), many.racks.len()), (1000, 101));
    assert!(many.racks.iter().all(|rack| rack.machines.len() <= 2));
    check_names(&design);
    let (half, whole) = (svg(&topology(&grown(500))).len(), svg(&many).len());
    assert!(whole < half * 21 / 10, "{half} {whole}");
    let (half, whole) = (dot(&topology(&grown(500))).len(), dot(&many).len());
    assert!(whole < half * 21 / 10, "{half} {whole}");
}

#[test]
fn one_node_brings_what_it_uses() {
    let design = base();
    let one = Topology::of(&design, Some("n2")).unwrap();
    assert_eq!(one.node_count(), 1);
    let names = |names: Vec<&String>| names.into_iter().cloned().collect::<Vec<_>>().join(" ");
    assert_eq!(
        names(one.links.iter().map(|link| &link.name).collect()),
        "pxe-link data-link"
    );
    assert_eq!(
        names(one.networks.iter().map(|network| &network.name).collect()),
        "oob pxe mgmt storage"
    );
    check_layout(&svg(&one));
    let error = Topology::of(&design, Some("n9")).unwrap_err();
    assert_eq!(error.to_string(), "it has no node n9");
    assert!(Topology::from_json(&serde_json::json!({ "nodes": [] }), None).is_err());
}

#[test]
fn what_a_server_tells_looks_the_same() {
    let design = base();
    let told = serde_json::from_str(&serde_json::to_string(&design).unwrap()).unwrap();
    assert_eq!(Topology::from_json(&told, None).unwrap(), topology(&design));
}

#[test]
fn names_that_are_only_named_are_drawn_as_such() {
    let (documents, _) = base_with(&[
        ("rack: r1, boot_mac: '52:54", "rack: r9, boot_mac: '52:54"),
        (
            "networks: [mgmt, storage]",
            "networks: [mgmt, storage, nowhere]",
        ),
        ("device_link: pxe-link", "device_link: no-link"),
    ]);
    let seen = topology(&compiled(&documents).design);
    let drawn = svg(&seen);
    check_layout(&drawn);
    for text in [drawn, dot(&seen)] {
        assert!(
            text.contains("r9 (not defined)") && text.contains("no-link"),
            "{text}"
        );
        assert!(text.contains("nowhere"), "{text}");
    }
}

const HOSTILE: &str = "</text><script>alert('1')</script>\"]; evil [x=\"\\N&amp;\u{7}\u{202e}船渠船渠船渠船渠船渠船渠船渠船渠船渠船渠船渠船渠";

#[test]
fn no_name_breaks_a_picture() {
    let mut design = base();
    let node = std::sync::Arc::make_mut(&mut design.nodes[0]);
    let interface = &mut node.interfaces[0];
    for name in [
        &mut node.name,
        &mut node.profiles[0],
        &mut interface.name,
        &mut interface.link,
        &mut interface.networks[0],
        &mut interface.slaves[0].name,
    ] {
        HOSTILE.clone_into(name);
    }
    node.rack = Some(HOSTILE.into());
    HOSTILE.clone_into(&mut design.networks[0].name);
    HOSTILE.clone_into(&mut design.links[0].name);
    HOSTILE.clone_into(&mut design.site.name);
    let seen = topology(&design);
    let drawn = svg(&seen);
    check_layout(&drawn);
    let xml = Xml::parse(&drawn).unwrap();
    assert!(!xml.descendants().any(|node| node.has_tag_name("script")));
    assert!(words(&drawn).contains("</text><script>alert('1')"));

    // Outside of quotes there is nothing but what we wrote.
    let graph = dot(&seen);
    let (mut bare, mut quoted, mut escaped) = (String::new(), false, false);
    for c in graph.chars() {
        match (quoted, escaped, c) {
            (true, true, _) => escaped = false,
            (true, false, '\\') => escaped = true,
            (_, _, '"') => quoted = !quoted,
            (true, ..) => {}
            (false, ..) => bare.push(c),
        }
    }
    assert!(
        !quoted && !bare.contains("evil") && bare.is_ascii(),
        "{bare}"
    );
    assert_eq!(bare.matches('{').count(), bare.matches('}').count());
}

#[test]
fn the_sound_design_as_svg() {
    insta::assert_snapshot!(svg(&topology(&base())));
}

#[test]
fn the_sound_design_as_dot() {
    insta::assert_snapshot!(dot(&topology(&base())));
}
