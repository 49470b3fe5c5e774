//! A small HTTP service, on a socket that `setup` bound or was passed: `/` tells the process, and the other paths end it.

use std::{
    error::Error,
    fs,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    os::fd::{AsFd, OwnedFd},
    process, thread,
};

use daemon_rt::stop_requested;
use listenfd::ListenFd;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use sd_notify::NotifyState;

/// In `setup`: tells the port by that file.
pub(crate) fn bind(file: &str) -> Result<OwnedFd, Box<dyn Error>> {
    let passed = ListenFd::from_env().take_tcp_listener(0)?;
    let listener = passed.map_or_else(|| TcpListener::bind("127.0.0.1:0"), Ok)?;
    fs::write(file, listener.local_addr()?.port().to_string())?;
    Ok(listener.into())
}

/// From systemd, which has it from a socket unit, or has kept it for a program before this one. Otherwise it is bound, and
/// systemd asked to keep it.
pub(crate) fn passed_or_stored() -> Result<OwnedFd, Box<dyn Error>> {
    if let Some(passed) = ListenFd::from_env().take_tcp_listener(0)? {
        return Ok(passed.into());
    }
    let listener = TcpListener::bind("127.0.0.1:7000")?;
    sd_notify::notify_with_fds(&[NotifyState::FdStore, NotifyState::FdName("http")], &[listener.as_fd()])?;
    Ok(listener.into())
}

/// One connection after the other, so that the others wait in the queue of the socket.
pub(crate) fn serve(listener: OwnedFd) -> Result<(), Box<dyn Error>> {
    daemon_rt::ready()?;
    for connection in TcpListener::from(listener).incoming() {
        let _ = answer(&connection?); // it may have been closed
    }
    Ok(())
}

/// A thread for each connection, until it is asked to stop: then those that it has are answered.
pub(crate) fn serve_until_asked_to_stop(listener: OwnedFd) -> Result<(), Box<dyn Error>> {
    let stop = stop_requested()?;
    let listener = TcpListener::from(listener);
    listener.set_nonblocking(true)?;
    daemon_rt::ready()?;
    let mut threads = Vec::new();
    while !stop.is_set() {
        let mut ways = [PollFd::new(listener.as_fd(), PollFlags::POLLIN), PollFd::new(stop.as_fd(), PollFlags::POLLIN)];
        let _ = poll(&mut ways, PollTimeout::NONE); // a signal may interrupt it
        let Ok((connection, _)) = listener.accept() else { continue };
        connection.set_nonblocking(false)?;
        threads.push(thread::spawn(move || _ = answer(&connection)));
    }
    drop(listener);
    threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| "an answer panicked".into()))
}

#[allow(unsafe_code)]
fn answer(mut connection: &TcpStream) -> Result<(), Box<dyn Error>> {
    let mut lines = BufReader::new(connection).lines();
    let request = lines.next().ok_or("no request")??;
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    match request.split(' ').nth(1) {
        // SAFETY: there is none: the crash is what the test wants.
        Some("/crash") => unsafe { std::ptr::null_mut::<u8>().write_volatile(1) },
        Some("/exit") => process::exit(3),
        Some("/memory") => fill_memory(),
        Some("/rotate") => daemon_rt::rotate_logs()?,
        _ => {}
    }
    let body = process::id().to_string();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    Ok(connection.write_all(format!("{head}{body}").as_bytes())?)
}

fn fill_memory() -> ! {
    let mut all = Vec::new();
    loop {
        all.push(vec![1_u8; 1 << 20]);
    }
}
