//! Planner, execution engine and boot-action rendering.
//!
//! Purpose: turn a task into a plan and the plan into steps, execute steps by observe / plan / apply with a journal, and survive the death of
//! any instance at any moment. Knows stores and drivers only by the model's ports.
//!
//! Non-goals: HTTP (the API's), protocols (the drivers'), SQL (the store's).

pub mod boot;
pub mod designs;
pub mod drivers;
pub mod engine;
pub mod forecast;
pub mod outcome;
pub mod plan_document;
pub mod planner;
pub mod progress;
pub mod settings;
pub mod system;
pub mod vitals;
pub mod waves;

mod leader;
mod operator;
mod pulse;
mod step;
mod worker;
