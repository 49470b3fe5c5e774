//! A program that knows nothing of daemons: what the tools of the audit make one of. It tells a service manager that it
//! is ready, `sd_notify(3)`, if there is one.

mod body;

use std::{
    env, fs,
    io::{self, BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixDatagram},
    },
    process,
};

use body::{Failure, Library};

fn main() -> Result<(), Failure> {
    let mut arguments = env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next()) {
        (Some("--serve" | "--serve-gracefully"), Some(file)) => serve(&file),
        _ => body::serve(&mut Manager),
    }
}

struct Manager;

impl Library for Manager {
    fn ready(&mut self) -> io::Result<()> {
        let _ = notify(); // what a manager does not hear is its own business, sd_notify(3)
        Ok(())
    }
}

/// A small HTTP service, which tells its port by that file, and has it again when it is started again: `/` tells the
/// process, and `/crash` ends it.
fn serve(file: &str) -> Result<(), Failure> {
    let port = fs::read_to_string(file).ok().and_then(|port| port.parse::<u16>().ok());
    let listener = TcpListener::bind(("127.0.0.1", port.unwrap_or(0)))?;
    fs::write(file, listener.local_addr()?.port().to_string())?;
    for connection in listener.incoming() {
        let _ = answer(&connection?); // it may have been closed
    }
    Ok(())
}

fn answer(mut connection: &TcpStream) -> Result<(), Failure> {
    let mut lines = BufReader::new(connection).lines();
    let request = lines.next().ok_or("no request")??;
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    if request.starts_with("GET /crash ") {
        process::abort();
    }
    let body = process::id().to_string();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    Ok(connection.write_all(format!("{head}{body}").as_bytes())?)
}

fn notify() -> io::Result<()> {
    let Ok(manager) = env::var("NOTIFY_SOCKET") else { return Ok(()) };
    let address = match manager.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(manager)?,
    };
    UnixDatagram::unbound()?.send_to_addr(b"READY=1", &address).map(drop)
}
