//! Ready when `main` begins.

mod body;

use daemon_rt::daemon;

#[daemon]
fn main() {
    body::main(|| ());
}
