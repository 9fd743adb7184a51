//! A picture of a site: racks with their nodes, links, networks, and which interface of which node rides on what.
//!
//! [`Topology`] says what there is to see, of a design compiled here or told by a server. [`dot()`] writes it for Graphviz, [`svg()`] draws it
//! itself. Both are deterministic: the same design, the same bytes. Time and size grow with the design; above [`COLLAPSE_ABOVE`] nodes those of
//! one rack that look the same are drawn once, with their number.

mod color;
mod dot;
mod panel;
mod svg;
mod topology;

pub use dot::dot;
pub use svg::svg;
pub use topology::{COLLAPSE_ABOVE, Link, Machine, Network, NoPicture, Port, Rack, Ride, Topology};
