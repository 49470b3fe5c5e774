use std::process::Stdio;

use daemon_rt::{Stdio, daemon};

#[daemon(stdout = Stdio::null())]
fn main() {}
