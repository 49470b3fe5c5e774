//! What `main` does, the same in every program; `body.h` is its like in C.

/// Tells the benchmark, at the abstract socket that the first argument names, who runs `main` and when it began:
/// `PID NANOSECONDS`. The clock is read before anything else is done, so that what the telling costs is not counted.
/// Without an argument, as for the bare cost of a process, nobody is told.
#[cfg(not(feature = "idle"))]
pub fn main(ready: impl FnOnce()) {
    use std::os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixDatagram},
    };

    let begun = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC).expect("a clock");
    ready();
    let Some(name) = std::env::args().nth(1) else { return };
    let benchmark = SocketAddr::from_abstract_name(name).expect("a socket's name");
    let report = format!("{} {}", std::process::id(), std::time::Duration::from(begun).as_nanos());
    let socket = UnixDatagram::unbound().expect("a socket");
    socket.send_to_addr(report.as_bytes(), &benchmark).expect("a benchmark that listens");
}

/// Idles, but not for ever: nobody may be there to end it.
#[cfg(feature = "idle")]
pub fn main(ready: impl FnOnce()) {
    ready();
    std::thread::sleep(std::time::Duration::from_secs(30));
}
