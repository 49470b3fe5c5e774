//! Logs with `tracing` and `log` to standard error. With `--foreground` on a terminal, the log is coloured. Otherwise
//! it goes to `logging.log`, without colours. SIGHUP reopens that file after logrotate has renamed it. A panic is
//! logged as an event with its backtrace.

use std::{
    backtrace::Backtrace,
    env,
    io::{self, IsTerminal},
    panic, process, thread,
    time::Duration,
};

use daemon_rt::{Detach, daemon};
use tracing::{error, info, warn};

fn detach() -> Detach {
    if env::args().any(|argument| argument == "--foreground") { Detach::Never } else { Detach::Auto }
}

#[daemon(stderr = "logging.log", reopen_logs, detach = detach())]
fn main() -> Result<(), daemon_rt::Error> {
    log_to_stderr();
    info!(process = process::id(), "started");
    let stop = daemon_rt::stop_requested()?;
    let mut job = 0;
    while !stop.wait_timeout(Duration::from_millis(300)) {
        job += 1;
        if thread::spawn(move || do_job(job)).join().is_err() {
            warn!(job, "given up");
        }
    }
    info!("stopped");
    Ok(())
}

/// Call it in the daemon: only there does `is_terminal` see the stream that the log goes to. A file gets no colours.
fn log_to_stderr() {
    tracing_subscriber::fmt().with_writer(io::stderr).with_ansi(io::stderr().is_terminal()).init();
    panic::set_hook(Box::new(|panic| error!("{panic}\n{}", Backtrace::force_capture())));
}

/// Stands for a library that uses `log`, and not `tracing`.
fn do_job(number: u32) {
    log::info!("job {number}");
    assert!(number % 3 != 0, "job {number} cannot be done");
}
