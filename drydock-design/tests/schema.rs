//! The JSON Schemas of documents against the reader and the rules, one file for each subject.
#![allow(clippy::unwrap_used)]

#[allow(dead_code, reason = "the rest of it is for the other tests")]
#[path = "suite/site.rs"]
mod site;

#[path = "schema/valid.rs"]
mod valid;

#[path = "schema/mutation.rs"]
mod mutation;
