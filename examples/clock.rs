//! Appends the time to `clock.log` once a second.

use std::{thread, time::Duration};

use daemon_rt::daemon;
use jiff::Timestamp;

#[daemon(stdout = "clock.log")]
fn main() {
    loop {
        println!("{}", Timestamp::now().strftime("%Y-%m-%d-%H%M%S"));
        thread::sleep(Duration::from_secs(1));
    }
}
