//! `daemon-rt` under another name.

use runtime::{Detach, daemon};

#[daemon(crate = ::runtime, detach = Detach::Never)]
fn main() {
    println!("renamed");
}
