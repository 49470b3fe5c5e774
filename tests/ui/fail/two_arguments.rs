use std::io::Error;
use std::net::TcpListener;

use daemon_rt::{Daemon, daemon};

fn setup(_: &mut Daemon) -> Result<TcpListener, Error> {
    TcpListener::bind("127.0.0.1:0")
}

#[daemon(setup = setup)]
fn main(_: TcpListener, _: String) {}
