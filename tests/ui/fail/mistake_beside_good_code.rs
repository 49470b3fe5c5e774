use std::io::Result;
use std::net::TcpListener;
use std::time::Duration;

use daemon_rt::{Daemon, daemon};

fn setup(_: &mut Daemon) -> Result<TcpListener> {
    TcpListener::bind("127.0.0.1:0")
}

#[daemon(setup = setup, start_timeout = Duration::from_secs(5), umask = 27, notify)]
#[tokio::main]
async fn main(listener: TcpListener) -> Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    listener.accept().await?;
    Ok(())
}
