//! The attribute is the crate's, and not known by itself.

#[daemon]
fn main() {}
