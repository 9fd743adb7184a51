//! The picture in the language of Graphviz (DOT), to be laid out by it.

use std::fmt::Write as _;

use super::color;
use super::topology::{Link, Machine, Network, Port, Topology};

/// Writes a site as an undirected graph: racks are clusters of nodes; a line leads from each node to the links of its interfaces and
/// names what rides on them; links lead to the networks they allow; dashed lines are those of BMCs.
///
/// Names of the design stand in labels only, never as names of the graph, so that any name is safe.
#[must_use]
pub fn dot(topology: &Topology) -> String {
    // Writing to a String cannot fail, so the results below are of no interest.
    let mut text = String::from("graph site {\n");
    let _ = writeln!(
        text,
        "  graph [label={}, labelloc=t, rankdir=LR, ranksep=1.5, fontname=\"sans-serif\"];",
        label(&[format!("Site {}", topology.site)])
    );
    text.push_str(
        "  node [shape=box, style=\"rounded,filled\", fillcolor=white, fontname=\"sans-serif\"];\n",
    );
    text.push_str("  edge [fontname=\"sans-serif\", fontsize=10];\n");
    let mut number = 0;
    let mut wires = String::new();
    for (at, rack) in topology.racks.iter().enumerate() {
        let title = match (&rack.name, rack.defined) {
            (None, _) => "no rack".to_owned(),
            (Some(name), true) => format!("Rack {name}"),
            (Some(name), false) => format!("Rack {name} (not defined)"),
        };
        let _ = writeln!(text, "  subgraph cluster_rack{at} {{");
        let _ = writeln!(
            text,
            "    label={}; style=\"rounded,filled\"; fillcolor=\"#f2f4f7\"; color=\"#8c959f\";",
            label(&[title])
        );
        if rack.machines.is_empty() {
            let _ = writeln!(text, "    empty{at} [label=\"no nodes\", style=dashed];");
        }
        for machine in &rack.machines {
            let _ = writeln!(text, "    node{number} [label={}];", of_machine(machine));
            for port in &machine.ports {
                wire(&mut wires, topology, number, port);
            }
            number += 1;
        }
        text.push_str("  }\n");
    }
    for (at, link) in topology.links.iter().enumerate() {
        let style = style(link.defined);
        let _ = writeln!(
            text,
            "  link{at} [label={}, shape=hexagon, style=\"{style}\"];",
            of_link(link)
        );
    }
    for (at, network) in topology.networks.iter().enumerate() {
        let style = style(network.defined);
        let _ = writeln!(
            text,
            "  network{at} [label={}, shape=ellipse, style=\"{style}\", color=\"{}\", penwidth=3];",
            of_network(network),
            color::of_network(at)
        );
    }
    text.push_str(&wires);
    for (at, link) in topology.links.iter().enumerate() {
        for network in &link.networks {
            let _ = writeln!(
                text,
                "  link{at} -- network{network} [color=\"{}\", penwidth=2];",
                color::of_network(*network)
            );
        }
    }
    text.push_str("}\n");
    text
}

fn style(defined: bool) -> &'static str {
    if defined { "filled" } else { "filled,dashed" }
}

fn wire(text: &mut String, topology: &Topology, node: usize, port: &Port) {
    let told: Vec<String> = port
        .rides
        .iter()
        .map(|ride| {
            let name = &topology.networks[ride.network].name;
            match &ride.address {
                Some(address) => format!("{name} {address}"),
                None => name.clone(),
            }
        })
        .collect();
    let devices = if port.devices.is_empty() {
        String::new()
    } else {
        format!(" ({})", port.devices.join("+"))
    };
    let mut lines = vec![format!("{}{devices}", port.name)];
    lines.extend(told);
    let lines = label(&lines);
    match port.link {
        Some(link) => {
            let _ = writeln!(text, "  node{node} -- link{link} [label={lines}];");
        }
        None => {
            for ride in &port.rides {
                let _ = writeln!(
                    text,
                    "  node{node} -- network{} [label={lines}, style=dashed];",
                    ride.network
                );
            }
        }
    }
}

fn of_machine(machine: &Machine) -> String {
    let mut lines = match machine.names.as_slice() {
        [one] => vec![one.clone()],
        names => {
            let mut lines = vec![format!("{} nodes", names.len())];
            // A line each would make a tower of a large group.
            lines.extend(names.chunks(6).map(|names| names.join(", ")));
            lines
        }
    };
    lines.extend(machine.profile.clone());
    label(&lines)
}

fn of_link(link: &Link) -> String {
    let mut lines = vec![format!("link {}", link.name)];
    lines.extend(link.facts());
    label(&lines)
}

fn of_network(network: &Network) -> String {
    let mut lines = vec![network.name.clone()];
    lines.extend(network.facts());
    label(&lines)
}

/// A quoted label of these lines. Graphviz reads escapes after a backslash and entities after an ampersand in any quoted text
/// (Graphviz documentation, attribute type escString).
fn label(lines: &[String]) -> String {
    let mut text = String::from("\"");
    for (at, line) in lines.iter().enumerate() {
        if at > 0 {
            text.push_str("\\n");
        }
        for c in line.chars() {
            match c {
                '"' => text.push_str("\\\""),
                '\\' => text.push_str("\\\\"),
                '&' => text.push_str("&amp;"),
                c if c.is_control() => text.push('\u{fffd}'),
                c => text.push(c),
            }
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::label;

    #[test]
    fn labels_cannot_be_left() {
        let hostile = r#"a"]; evil [label="\N &lt;"#.to_owned();
        assert_eq!(
            label(&[hostile, "b\nc".to_owned()]),
            r#""a\"]; evil [label=\"\\N &amp;lt;\nb�c""#
        );
    }
}
