//! A daemon with a command line of its own: `control start`, `run`, `stop`, `restart`, `reload`, `upgrade`, `status`.

use std::{io, path::PathBuf};

use clap::Parser;
use daemon_rt::{Control, Daemon, Error, daemon};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};

/// Waits to be told to read its configuration.
#[derive(Parser)]
struct Cli {
    /// What to do:
    ///
    ///   start    start the daemon
    ///   run      stay in the foreground
    ///   stop     end the daemon, and wait until it has ended
    ///   restart  stop the daemon if it runs, and start it
    ///   reload   make the daemon read its configuration again
    ///   upgrade  let a new version of the program take over; this needs the option
    ///            `respawn`, which this example does not set
    ///   status   tell whether the daemon runs: exit status 0 if it does, 3 if not, 1 if
    ///            not but its pidfile is still there, 4 if that is unknown
    #[arg(verbatim_doc_comment)]
    control: Control,
    /// The file that the daemon locks, so that only one runs
    #[arg(long, default_value = "control.pid")]
    pidfile: PathBuf,
}

fn setup(daemon: &mut Daemon) -> Result<(), Error> {
    let cli = Cli::parse();
    daemon.pidfile(cli.pidfile).obey(cli.control)
}

#[daemon(setup = setup, notify, stdout = "control.log")]
fn main() -> io::Result<()> {
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    println!("started");
    daemon_rt::ready()?; // by now, SIGHUP no longer ends the program
    for signal in signals.forever() {
        if signal != SIGHUP {
            break;
        }
        println!("read the configuration");
    }
    println!("stopped");
    Ok(())
}
