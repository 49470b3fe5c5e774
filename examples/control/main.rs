//! A daemon with a command line of its own: `control start`, `run`, `stop`, `restart`, `reload`, `status`.

use std::{io, path::PathBuf, process::exit, time::Duration};

use clap::{Parser, Subcommand};
use daemon_rt::{Daemon, Detach, Error, PidFile, Status, Stopped, daemon};
use jiff::Timestamp;
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};

/// Waits to be told to read its configuration.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// The file that one running daemon holds
    #[arg(long, global = true, default_value = "control.pid")]
    pidfile: PathBuf,
}

#[derive(Clone, Copy, Subcommand)]
enum Command {
    /// Start the daemon
    Start,
    /// Stay in the foreground
    Run,
    /// End the daemon, and wait until it has ended
    Stop,
    /// Stop the daemon if it runs, and start it
    Restart,
    /// Have the daemon read its configuration anew
    Reload,
    /// Tell whether the daemon runs: exit status 0 if so, 1 if it left its pidfile, 3 if it does not run, 4 if that is unknown
    Status,
}

fn setup(daemon: &mut Daemon) -> Result<(), Error> {
    let Cli { command, pidfile } = Cli::parse();
    let pidfile = PidFile::new(pidfile);
    match command {
        Command::Start => {}
        Command::Run => _ = daemon.detach(Detach::Never),
        Command::Restart => stop(&pidfile)?,
        Command::Stop => stop(&pidfile).map(|()| exit(0))?,
        Command::Reload => pidfile.reload().map(|()| exit(0))?,
        Command::Status => exit(status(&pidfile)),
    }
    daemon.pidfile(pidfile.path()); // not before: what fails above is no start
    Ok(())
}

fn stop(pidfile: &PidFile) -> Result<(), Error> {
    match pidfile.stop(Duration::from_secs(10))? {
        Stopped::NotRunning => println!("control was not running"),
        Stopped::Killed => println!("control did not end within 10 seconds, and was killed"),
        _ => println!("control has ended"),
    }
    Ok(())
}

fn status(pidfile: &PidFile) -> i32 {
    let (status, text) = match pidfile.status() {
        Ok(Status::Running { pid, since, .. }) => {
            let since = Timestamp::try_from(since).unwrap_or(Timestamp::MAX);
            (0, format!("control runs as process {pid} since {since:.0}"))
        }
        Ok(Status::Starting) => (0, "control is starting".into()),
        Ok(Status::Stale) => (1, format!("control does not run any more, and left {}", pidfile.path().display())),
        Ok(_) => (3, "control does not run".into()),
        Err(error) => (4, format!("control may run or not: {error:#}")),
    };
    println!("{text}");
    status
}

#[daemon(setup = setup, notify, stdout = "control.log")]
fn main() -> io::Result<()> {
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    println!("started");
    daemon_rt::ready()?; // from here on, SIGHUP is no longer its end
    for signal in signals.forever() {
        if signal != SIGHUP {
            break;
        }
        println!("read the configuration");
    }
    println!("stopped");
    Ok(())
}
