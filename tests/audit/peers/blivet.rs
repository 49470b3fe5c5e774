//! The crate `blivet`, as its documentation has it: what `main` fails with before it is ready is reported, and SIGTERM
//! removes the pidfile, or is a request where the program waits for one, by the crate `signal-hook`.

#[path = "../body.rs"]
mod body;

use std::{
    ffi::CString,
    io, process,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use blivet::{DaemonConfig, DaemonContext, DaemonizeError, daemonize};
use body::{Failure, Library, Options};
use signal_hook::{consts::SIGTERM, flag};

const KNOWN: [&str; 9] = [
    "--pidfile",
    "--stdout",
    "--umask",
    "--chdir",
    "--user",
    "--group",
    "--notify",
    "--stop-requested",
    "--program",
];

fn main() -> Result<(), Failure> {
    let options = Options::read(&KNOWN)?;
    let mut daemon = start(&options).unwrap_or_else(|error| {
        eprintln!("blivet: {error}");
        process::exit(error.exit_code().into())
    });
    if let Some(program) = options.program {
        let program = CString::new(program)?;
        daemon.context.exec(&program, &[&program]);
    }
    if options.stop_requested {
        flag::register(SIGTERM, Arc::clone(&daemon.is_asked_to_stop))?;
    }
    body::serve(&mut daemon)
}

fn start(options: &Options) -> Result<Daemon, DaemonizeError> {
    let mut config = DaemonConfig::new();
    if let Some(pidfile) = &options.pidfile {
        config.pidfile(pidfile);
    }
    if let Some(log) = &options.stdout {
        config.stdout(log).stderr(log).append(true);
    }
    if let Some(umask) = options.umask {
        config.umask(umask);
    }
    if let Some(directory) = &options.chdir {
        config.chdir(directory);
    }
    if let Some(user) = &options.user {
        config.user(user);
    }
    if let Some(group) = &options.group {
        config.group(group);
    }
    let mut context = daemonize(&config)?;
    if !options.stop_requested {
        context.cleanup_on_term_signals()?;
    }
    if !options.notify && options.program.is_none() {
        context.notify_parent()?;
    }
    Ok(Daemon { context, is_ready: !options.notify, is_asked_to_stop: Arc::default() })
}

struct Daemon {
    context: DaemonContext,
    is_ready: bool,
    is_asked_to_stop: Arc<AtomicBool>,
}

impl Library for Daemon {
    fn ready(&mut self) -> io::Result<()> {
        self.is_ready = true;
        self.context.notify_parent().map_err(io::Error::other)
    }

    fn await_stop(&mut self) {
        while !self.is_asked_to_stop.load(SeqCst) {
            thread::sleep(Duration::from_millis(3));
        }
    }

    fn exit(&mut self, status: u8) {
        if !self.is_ready {
            self.context.report_error_msg(status, "main failed");
        }
        self.context.cleanup();
        process::exit(status.into());
    }
}
