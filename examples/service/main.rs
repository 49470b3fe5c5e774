//! A small HTTP service, ready to deploy. The same program runs under every manager: see `README.md`.

use std::{
    fs, future,
    io::{self, IsTerminal},
    net::{SocketAddr, TcpListener},
    path::{self, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use axum::{Router, extract::State, http::StatusCode, routing::get};
use clap::Parser;
use daemon_rt::{Daemon, Detach, Respawn, StopRequested, daemon, stop_requested};
use listenfd::ListenFd;
use sd_notify::NotifyState;
use serde::Deserialize;
use tokio::{
    net::TcpStream,
    signal::unix::{Signal, SignalKind, signal},
    sync::RwLock,
};
use tracing::{error, info, warn};

/// Greets everybody who asks over HTTP.
#[derive(Parser)]
struct Cli {
    /// Do not detach, whatever started the program
    #[arg(long)]
    foreground: bool,
    /// Where to listen, unless the manager passes a socket
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// TOML with a `greeting`; read again on SIGHUP
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where the log goes after a detach; standard error without one
    #[arg(long, value_name = "FILE", default_value = "service.log")]
    log: PathBuf,
    /// The file that the service locks, so that only one instance runs
    #[arg(long, value_name = "FILE")]
    pidfile: Option<PathBuf>,
    /// The user to run as
    #[arg(long)]
    user: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    greeting: String,
}

struct Service {
    launched_by: String,
    config_file: Option<PathBuf>,
    config: RwLock<Config>,
    stop: StopRequested,
}

/// Runs in the launcher: whoever started the program sees every error.
fn setup(daemon: &mut Daemon) -> anyhow::Result<(TcpListener, Service)> {
    let cli = Cli::parse();
    if cli.foreground {
        daemon.detach(Detach::Never);
    }
    daemon.stderr(cli.log);
    if let Some(pidfile) = cli.pidfile {
        daemon.pidfile(pidfile);
    }
    if let Some(user) = cli.user {
        daemon.user(user);
    }
    let config_file = cli.config.map(path::absolute).transpose()?; // the daemon is in another directory
    let config = RwLock::new(read(config_file.as_ref())?);
    let launched_by = daemon.launched_by().to_string();
    let service = Service { launched_by, config_file, config, stop: stop_requested()? };
    Ok((listen(cli.listen)?, service))
}

/// A socket that systemd passed, or one of our own.
fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let listener = match ListenFd::from_env().take_tcp_listener(0).context("cannot listen on the inherited socket")? {
        Some(listener) => listener,
        None => TcpListener::bind(address).with_context(|| format!("cannot listen on {address}"))?,
    };
    listener.set_nonblocking(true)?; // tokio needs this
    Ok(listener)
}

fn read(config_file: Option<&PathBuf>) -> anyhow::Result<Config> {
    let Some(file) = config_file else { return Ok(Config { greeting: "hello".into() }) };
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    toml::from_str(&text).with_context(|| format!("cannot understand {}", file.display()))
}

#[daemon(
    setup = setup,
    notify,
    stop_timeout = Duration::from_secs(30),
    respawn = Respawn::on_failure(),
)]
#[tokio::main]
async fn main((listener, service): (TcpListener, Service)) -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_writer(io::stderr).with_ansi(io::stderr().is_terminal()).init();
    let service = Arc::new(service);
    let stop = obey(Arc::clone(&service), signal(SignalKind::hangup())?); // before `ready`, so that no signal is missed
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let address = listener.local_addr()?;
    info!(launched_by = service.launched_by, "listening on {address}");
    daemon_rt::ready()?; // connections wait in the socket's queue until `serve`
    tell(&[NotifyState::Status(&format!("listening on {address}"))]);
    if let Some(limit) = sd_notify::watchdog_enabled() {
        tokio::spawn(feed_watchdog(limit / 2));
    }

    let app = Router::new()
        .route("/", get(greet))
        .route("/healthz", get("healthy\n")) // any answer means that it is alive
        .route("/readyz", get(readyz))
        .with_state(Arc::clone(&service));
    let listener = UntilStop { listener, stop: service.stop.clone() };
    axum::serve(listener, app).with_graceful_shutdown(stop).await?;
    info!("every request is answered");
    Ok(())
}

async fn greet(State(service): State<Arc<Service>>) -> String {
    format!("{}\n", service.config.read().await.greeting)
}

/// Tells a load balancer whether to send more requests.
async fn readyz(State(service): State<Arc<Service>>) -> (StatusCode, &'static str) {
    if service.stop.is_set() { (StatusCode::SERVICE_UNAVAILABLE, "stopping\n") } else { (StatusCode::OK, "ready\n") }
}

/// Returns when the service was asked to stop.
async fn obey(service: Arc<Service>, mut hangup: Signal) {
    let mut stop = service.stop.clone();
    loop {
        tokio::select! {
            _ = hangup.recv() => service.reload().await,
            () = &mut stop => break,
        }
    }
    info!("stopping");
    tokio::time::sleep(UNTIL_READ).await;
}

/// When axum stops, it closes connections from which it has read nothing so far. Until then, those that it has accepted
/// get this much time.
const UNTIL_READ: Duration = Duration::from_millis(500);

/// Accepts no connection once the service was asked to stop: in an upgrade, the new version accepts it.
struct UntilStop {
    listener: tokio::net::TcpListener,
    stop: StopRequested,
}

impl axum::serve::Listener for UntilStop {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        tokio::select! {
            biased;
            () = &mut self.stop => future::pending().await,
            accepted = axum::serve::Listener::accept(&mut self.listener) => accepted,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl Service {
    /// If the new configuration has a mistake, the service goes on with the old one.
    async fn reload(&self) {
        if let Ok(now) = NotifyState::monotonic_usec_now() {
            tell(&[NotifyState::Reloading, now]);
        }
        let status = match read(self.config_file.as_ref()) {
            Ok(config) => {
                *self.config.write().await = config;
                info!("reloaded");
                "reloaded"
            }
            Err(error) => {
                error!(error = format!("{error:#}"), "not reloaded"); // several lines, logged as one
                "not reloaded, see the log"
            }
        };
        tell(&[NotifyState::Ready, NotifyState::Status(status)]);
    }
}

/// If the runtime is stuck, this sends nothing, and systemd restarts the service.
async fn feed_watchdog(period: Duration) {
    let mut interval = tokio::time::interval(period);
    loop {
        interval.tick().await;
        tell(&[NotifyState::Watchdog]);
    }
}

/// Tells systemd. Under other managers, nothing is sent.
fn tell(news: &[NotifyState]) {
    if let Err(error) = sd_notify::notify(news) {
        warn!("cannot notify the manager: {error}");
    }
}
