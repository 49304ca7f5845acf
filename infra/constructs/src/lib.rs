//! Typed AWS constructs that synthesize Terraform JSON and CloudFormation.
//!
//! [`tree`] is what was said, [`services`] is what AWS offers, [`render`] is how it is written down;
//! [`schema`] and [`policy`] check the result against what the providers and IAM know, offline; `rules` is what
//! no schema says.

pub mod policy;
pub mod render;
mod rules;
pub mod schema;
pub mod services;
#[cfg(feature = "testing")]
pub mod testing;
pub mod tree;

/// The page's examples, each of which must not compile.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/mistakes.md")]
struct Mistakes;
