//! A client that starts its own server if none is running. The server counts the calls, and each run prints the count.

use std::{
    error::Error,
    fs,
    io::{self, BufRead, BufReader, Write},
    os::unix::net::{UnixListener, UnixStream},
    process,
};

use daemon_rt::Daemon;

const SOCKET: &str = "client.socket";

fn main() -> Result<(), Box<dyn Error>> {
    let mut answer = String::new();
    BufReader::new(connect()?).read_line(&mut answer)?;
    print!("{answer}");
    Ok(())
}

/// Connects to the server, and starts it if nobody answers.
fn connect() -> Result<UnixStream, Box<dyn Error>> {
    if let Ok(connection) = UnixStream::connect(SOCKET) {
        return Ok(connection);
    }
    match Daemon::new().pidfile("client.pid").stderr("client.log").chdir(".").notify(true).spawn(serve) {
        Ok(server) => println!("started a server, process {}", server.pid()),
        Err(error) if error.already_running().is_some() => {} // another client has started it, and it is ready
        Err(error) => return Err(error.into()),
    }
    Ok(UnixStream::connect(SOCKET)?)
}

/// Runs in the daemon.
fn serve() -> io::Result<()> {
    let _ = fs::remove_file(SOCKET); // left by a server that has ended: only this one holds the pidfile
    let listener = UnixListener::bind(SOCKET)?;
    daemon_rt::ready()?;
    for (call, connection) in (1..).zip(listener.incoming()) {
        let _ = writeln!(connection?, "call {call}, answered by process {}", process::id());
    }
    Ok(())
}
