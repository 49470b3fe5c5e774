//! A daemon with a command line of its own: `control start`, `run`, `stop`, `restart`, `reload`, `upgrade`, `status`.

use std::{
    fs, io,
    path::{self, PathBuf},
};

use anyhow::Context;
use clap::Parser;
use daemon_rt::{Control, Daemon, daemon};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};

/// Greets, and waits to be told to read its configuration again.
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
    /// The configuration: a file with a greeting in it, which must not be empty
    #[arg(long)]
    config: Option<PathBuf>,
}

#[derive(Default)]
struct Config {
    file: Option<PathBuf>,
    greeting: String,
}

impl Config {
    fn read(file: Option<PathBuf>) -> anyhow::Result<Self> {
        let Some(file) = file else { return Ok(Self { file: None, greeting: "started".into() }) };
        let file = path::absolute(file)?; // the daemon is in another directory
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        anyhow::ensure!(!text.trim().is_empty(), "there is no greeting in {}", file.display());
        Ok(Self { file: Some(file), greeting: text.trim().into() })
    }
}

fn setup(daemon: &mut Daemon) -> anyhow::Result<Config> {
    let cli = Cli::parse();
    // Before `obey`: if the configuration is broken, `restart` leaves the old daemon running. Not for the other
    // commands: `stop` and `status` work even then.
    let starts = matches!(cli.control, Control::Start | Control::Run | Control::Restart);
    let config = if starts { Config::read(cli.config)? } else { Config::default() };
    daemon.pidfile(cli.pidfile).obey(cli.control)?; // returns only if the start goes on
    Ok(config)
}

#[daemon(setup = setup, notify, stdout = "control.log")]
fn main(mut config: Config) -> io::Result<()> {
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    println!("{}", config.greeting);
    daemon_rt::ready()?; // by now, SIGHUP no longer ends the program
    for signal in signals.forever() {
        if signal != SIGHUP {
            break;
        }
        match Config::read(config.file.clone()) {
            Ok(new) => {
                config = new;
                println!("read the configuration");
            }
            Err(error) => println!("{error:#}"), // and goes on with the old one
        }
    }
    println!("stopped");
    Ok(())
}
