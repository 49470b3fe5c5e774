//! A service of `Type=notify-reload`, as the documentation has it.

use std::error::Error;

use daemon_rt::daemon;
use sd_notify::NotifyState;
use signal_hook::{consts::SIGHUP, iterator::Signals};

#[daemon(notify)]
fn main() -> Result<(), Box<dyn Error>> {
    let mut signals = Signals::new([SIGHUP])?;
    daemon_rt::ready()?;
    for _ in &mut signals {
        sd_notify::notify(&[NotifyState::Reloading, NotifyState::monotonic_usec_now()?])?;
        println!("reloaded");
        sd_notify::notify(&[NotifyState::Ready])?;
    }
    Ok(())
}
