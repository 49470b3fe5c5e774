//! A value from `setup` for an async `main`.

use std::io::Result;
use std::net::TcpListener;

use daemon_rt::{Daemon, Detach, daemon};

fn setup(_: &mut Daemon) -> Result<TcpListener> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

#[daemon(setup = setup, detach = Detach::Never)]
#[tokio::main]
async fn main(listener: TcpListener) -> Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    println!("{}", listener.local_addr()?.ip());
    Ok(())
}
