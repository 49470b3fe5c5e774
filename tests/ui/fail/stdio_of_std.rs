use std::process::Stdio;

use daemon_rt::daemon;

#[daemon(stdout = Stdio::null())]
fn main() {}
