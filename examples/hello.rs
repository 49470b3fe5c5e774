//! A short daemon: it writes a greeting to `hello.log`, and ends after a minute.

use std::{thread, time::Duration};

use daemon_rt::{Error, daemon};

#[daemon(notify, stdout = "hello.log")]
fn main() -> Result<(), Error> {
    println!("hello from process {}", std::process::id());
    daemon_rt::ready()?; // now the command returns, with exit status 0
    thread::sleep(Duration::from_secs(60));
    Ok(())
}
