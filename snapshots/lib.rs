//! No code: this crate exists so that `cargo insta review`, which looks into the folders of workspace
//! members, finds the snapshots beside it.
