//! What measurements of whole processes share: a Python to compare with, what a process took, and as much of HTTP as AWS's
//! clients speak.

pub mod http;
pub mod python;
pub mod usage;
