//! What the functions need around their core, and nothing of what they do.
//!
//! An invocation has a [`Budget`] of time; what fails for now is tried again after a [`Backoff`]; items of one
//! story go one after the other, in [`waves()`]; what happened is told in [`logs`] and [`emf`].

pub mod aws;
mod backoff;
mod budget;
mod causes;
pub mod emf;
pub mod events;
pub mod logs;
mod waves;

pub use backoff::Backoff;
pub use budget::{Budget, Over};
pub use causes::with_causes;
pub use waves::waves;
