//! Function packages: built, checked, zipped.
