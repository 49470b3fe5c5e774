//! Serves a greeting over HTTP. It reads its arguments and binds its socket before the fork, starts the runtime after
//! it, and stops gracefully.

use std::net::{SocketAddr, TcpListener};

use anyhow::Context;
use axum::{Router, routing::get};
use clap::Parser;
use daemon_rt::{Daemon, Detach, daemon};

/// Greets everybody who asks over HTTP.
#[derive(Parser)]
struct Cli {
    /// Do not detach
    #[arg(long)]
    foreground: bool,
    /// Where to listen
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
}

/// In the launcher: `--help` and every error reach the terminal.
fn setup(daemon: &mut Daemon) -> anyhow::Result<TcpListener> {
    let cli = Cli::parse();
    if cli.foreground {
        daemon.detach(Detach::Never);
    }
    let listener = TcpListener::bind(cli.listen).with_context(|| format!("cannot listen on {}", cli.listen))?;
    listener.set_nonblocking(true)?; // tokio needs this
    Ok(listener)
}

/// In the daemon: the launcher exits when `ready` is called.
#[daemon(setup = setup, notify, stdout = "setup.log")]
#[tokio::main(flavor = "current_thread")]
async fn main(listener: TcpListener) -> anyhow::Result<()> {
    let stop = daemon_rt::stop_requested()?; // before `ready`, so that no request is missed
    let listener = tokio::net::TcpListener::from_std(listener)?;
    println!("process {} listens on {}", std::process::id(), listener.local_addr()?);
    daemon_rt::ready()?;

    let app = Router::new().route("/", get(|| async { "hello\n" }));
    axum::serve(listener, app).with_graceful_shutdown(stop).await?;
    println!("every request is answered");
    Ok(())
}
