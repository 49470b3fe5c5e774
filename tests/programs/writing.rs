//! A thread that writes numbered lines until the process ends: whoever reads the log sees whether one is missing or torn.

use std::{io, process, thread, time::Duration};

use nix::unistd;

/// What a reader can see to be whole, by its end.
const END: &str = "..............................";

const REST: Duration = Duration::from_millis(2);

/// Is ready, and says before and behind that which launcher it belongs to.
pub(crate) fn begin(launcher: &str) -> Result<(), daemon_rt::Error> {
    write(&format!("begins for {launcher}"));
    daemon_rt::ready()?;
    write(&format!("is ready for {launcher}"));
    thread::spawn(|| {
        let mut number = 0_u64;
        loop {
            number += u64::from(write(&format!("line {number}")));
            thread::sleep(REST);
        }
    });
    Ok(())
}

/// By one write(2). Whether all of it was written.
fn write(words: &str) -> bool {
    let line = format!("{} {words} {END}\n", process::id());
    unistd::write(io::stdout(), line.as_bytes()) == Ok(line.len())
}
