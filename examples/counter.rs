//! Counts the seconds. Standard output and standard error both go to `counter.log`.

use std::{process, thread, time::Duration};

use daemon_rt::daemon;
use jiff::Timestamp;

#[daemon(stdout = "counter.log")] // stderr goes where stdout goes
fn main() {
    println!("Daemon started with pid {}", process::id());
    println!("This line went to standard output");
    eprintln!("This line went to standard error");
    for count in 1_u64.. {
        println!("{count} {:.0}", Timestamp::now());
        thread::sleep(Duration::from_secs(1));
    }
}
