//! Ready when it says so.

mod body;

use daemon_rt::daemon;

#[daemon(notify)]
fn main() {
    body::main(|| daemon_rt::ready().expect("a launcher that waits"));
}
