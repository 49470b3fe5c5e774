//! A program without the attribute: `echo [--foreground] [ADDRESS]` listens, becomes a daemon in the middle of a
//! function, and sends back whatever comes.

use std::{
    env,
    error::Error,
    io,
    net::{TcpListener, TcpStream},
    process::ExitCode,
    thread,
};

use daemon_rt::{Daemon, Detach};

fn main() -> ExitCode {
    match start() {
        Ok(listener) => serve(&listener),
        Err(error) => {
            eprintln!("echo: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Returns in the daemon, or in the foreground.
fn start() -> Result<TcpListener, Box<dyn Error>> {
    let mut daemon = Daemon::new(); // first, because it notes what the program inherited
    let mut address = "127.0.0.1:7007".to_owned();
    for argument in env::args().skip(1) {
        match argument.as_str() {
            "--foreground" => _ = daemon.detach(Detach::Never),
            _ => address = argument,
        }
    }
    let listener = TcpListener::bind(&address).map_err(|error| format!("cannot listen on {address}: {error}"))?;
    daemon.stdout("echo.log").notify(true).start().unwrap_or_else(|error| error.exit());
    daemon_rt::ready_with(format!("listening on {}", listener.local_addr()?))?; // the launcher prints this, and exits
    Ok(listener)
}

fn serve(listener: &TcpListener) -> ExitCode {
    for connection in listener.incoming() {
        match connection {
            Ok(connection) => _ = thread::spawn(move || echo(&connection)),
            Err(error) => eprintln!("cannot accept a connection: {error}"),
        }
    }
    ExitCode::SUCCESS
}

fn echo(mut connection: &TcpStream) {
    let mut back = connection;
    let _ = io::copy(&mut connection, &mut back); // until the client sends no more
}
