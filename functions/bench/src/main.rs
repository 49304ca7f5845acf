//! The functions beside what others write.

fn main() {}
