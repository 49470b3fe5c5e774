//! A daemon with a command line of its own: `control start`, `run`, `stop`, `restart`, `reload`, `status`.

use std::{path::PathBuf, process::exit, time::Duration};

use clap::{Parser, Subcommand};
use daemon_rt::{Daemon, Detach, PidFile, Status, Stopped, daemon};
use jiff::Timestamp;
use signal_hook::{
    consts::{SIGHUP, SIGTERM},
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
    /// Tell whether the daemon runs: exit status 0 if so, 1 if it was killed, 3 if it does not run, 4 if that is unknown
    Status,
}

fn setup(daemon: &mut Daemon) -> Result<(), daemon_rt::Error> {
    let Cli { command, pidfile } = Cli::parse();
    daemon.pidfile(&pidfile);
    let pidfile = PidFile::new(pidfile);
    match command {
        Command::Start => {}
        Command::Run => _ = daemon.detach(Detach::Never),
        Command::Restart => stop(&pidfile)?,
        Command::Stop => stop(&pidfile).map(|()| exit(0))?,
        Command::Reload => pidfile.reload().map(|()| exit(0))?,
        Command::Status => exit(status(&pidfile)),
    }
    Ok(())
}

fn stop(pidfile: &PidFile) -> Result<(), daemon_rt::Error> {
    match pidfile.stop(Duration::from_secs(10))? {
        Stopped::NotRunning => println!("control was not running"),
        Stopped::Killed => println!("control did not end within 10 seconds, and was killed"),
        _ => println!("control has ended"),
    }
    Ok(())
}

fn status(pidfile: &PidFile) -> i32 {
    match pidfile.status() {
        Ok(Status::Running { pid, since }) => {
            let since = Timestamp::try_from(since).map_or("an unknown time".to_owned(), |since| format!("{since:.0}"));
            println!("control runs as process {pid} since {since}");
            0
        }
        Ok(Status::Starting) => {
            println!("control is starting");
            0
        }
        Ok(Status::Stale) => {
            println!("control does not run, and did not end by itself: {} was left", pidfile.path().display());
            1
        }
        Ok(_) => {
            println!("control does not run");
            3
        }
        Err(error) => {
            println!("control: {error:#}");
            4
        }
    }
}

#[daemon(setup = setup, stdout = "control.log")]
fn main() -> std::io::Result<()> {
    let mut signals = Signals::new([SIGHUP, SIGTERM])?;
    println!("started");
    for signal in signals.forever() {
        match signal {
            SIGHUP => println!("read the configuration"),
            _ => break,
        }
    }
    println!("stopped");
    Ok(())
}
