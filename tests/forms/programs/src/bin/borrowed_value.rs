//! A value that `main` only looks at.

use std::io::Result;
use std::net::TcpListener;

use daemon_rt::{Daemon, Detach, daemon};

fn setup(_: &mut Daemon) -> Result<TcpListener> {
    TcpListener::bind("127.0.0.1:0")
}

#[daemon(setup = setup, detach = Detach::Never)]
fn main(listener: TcpListener) {
    println!("{:?}", listener.local_addr().map(|address| address.ip()));
}
