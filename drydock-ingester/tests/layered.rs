//! Unrendered site trees: what they come to, and what is said when they come to nothing.
#![allow(clippy::unwrap_used)]

#[path = "layered/any_tree.rs"]
mod any_tree;
#[path = "layered/bounds.rs"]
mod bounds;
#[path = "layered/layering.rs"]
mod layering;
#[path = "layered/refused.rs"]
mod refused;
#[path = "layered/samples.rs"]
mod samples;
#[path = "layered/site.rs"]
mod site;
#[path = "layered/substituting.rs"]
mod substituting;
#[path = "layered/unhappy.rs"]
mod unhappy;
