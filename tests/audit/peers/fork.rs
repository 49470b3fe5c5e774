//! The crate `fork`: its `checked_daemon`, as its documentation has it, with the reset of SIGCHLD that it offers.

#[path = "../body.rs"]
mod body;

use std::{io, process::ExitCode, time::Duration};

use body::{Failure, Library, Options, open_log};
use fork::{CheckedDaemon, DaemonNotifier, DaemonOptions, checked_daemon, ensure_waitable_children};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fork: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Failure> {
    let options = Options::read(&["--stdout", "--chdir", "--notify", "--start-timeout"])?;
    ensure_waitable_children()?;
    let mut daemon = DaemonOptions::new();
    daemon.current_directory(options.chdir.unwrap_or_else(|| "/".into()))?;
    if let Some(log) = options.stdout {
        let log = open_log(&log)?;
        daemon.map_descriptor(std::fs::File::open("/dev/null")?.into(), 0)?;
        daemon.map_descriptor(log.try_clone()?.into(), 1)?.map_descriptor(log.into(), 2)?;
    } else {
        daemon.redirect_standard_io_to_null()?;
    }
    let notifier = match checked_daemon(daemon, options.start_timeout.unwrap_or(Duration::from_secs(90)))? {
        CheckedDaemon::Parent(_) => return Ok(()),
        CheckedDaemon::Daemon(notifier) => notifier,
    };
    if options.notify {
        return body::serve(&mut Notifier(Some(notifier)));
    }
    notifier.notify_ready()?;
    body::serve(&mut ())
}

struct Notifier(Option<DaemonNotifier>);

impl Library for Notifier {
    fn ready(&mut self) -> io::Result<()> {
        self.0.take().map_or(Ok(()), DaemonNotifier::notify_ready)
    }
}
