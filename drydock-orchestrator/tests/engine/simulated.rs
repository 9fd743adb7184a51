//! A simulated site in simulated time: an hour passes as soon as nobody has anything to do before it is over.

pub mod clock;
mod hour;
mod law;
mod matrix;
mod scripted;
mod seams;
pub mod site;
pub mod watched;
