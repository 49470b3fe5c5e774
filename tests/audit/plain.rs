//! A program that knows nothing of daemons: what the tools of the audit make one of. It tells a service manager that it
//! is ready, `sd_notify(3)`, if there is one.

mod body;

use std::{
    env, io,
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixDatagram},
    },
};

fn main() -> Result<(), body::Failure> {
    body::serve(|| {
        let _ = notify(); // what a manager does not hear is its own business, sd_notify(3)
        Ok(())
    })
}

fn notify() -> io::Result<()> {
    let Ok(manager) = env::var("NOTIFY_SOCKET") else { return Ok(()) };
    let address = match manager.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(manager)?,
    };
    UnixDatagram::unbound()?.send_to_addr(b"READY=1", &address).map(drop)
}
