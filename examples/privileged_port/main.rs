//! Listens on a port that only root can open, and serves as nobody.

use std::{
    env,
    io::Write,
    net::{SocketAddr, TcpListener},
    process,
};

use anyhow::Context;
use clap::Parser;
use daemon_rt::{Daemon, Detach, daemon};

/// Tells each client which user it runs as.
#[derive(Parser)]
struct Cli {
    /// Do not detach
    #[arg(long)]
    foreground: bool,
    /// Where to listen
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:80")]
    listen: SocketAddr,
}

/// Runs as root: it can open ports below 1024, and read keys that nobody else can read.
fn setup(daemon: &mut Daemon) -> anyhow::Result<TcpListener> {
    let cli = Cli::parse();
    if cli.foreground {
        daemon.detach(Detach::Never);
    }
    TcpListener::bind(cli.listen).with_context(|| format!("cannot listen on {}", cli.listen))
}

/// Runs as nobody, and cannot become root again.
#[daemon(setup = setup, user = "nobody", no_new_privs, stdout = "privileged_port.log")]
fn main(listener: TcpListener) {
    let greeting = format!("process {} is {}\n", process::id(), env::var("USER").unwrap_or_default());
    for connection in listener.incoming() {
        if let Err(error) = connection.and_then(|mut connection| connection.write_all(greeting.as_bytes())) {
            eprintln!("{error}"); // go on: the next client may have more luck
        }
    }
}
