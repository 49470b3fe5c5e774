//! Sockets.

use std::{
    io, mem,
    os::{
        fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
};

use nix::{
    errno::Errno,
    fcntl::{FcntlArg, FdFlag, OFlag, fcntl},
    libc::{self, c_int},
    unistd::Pid,
};

use super::signals::uninterrupted;

/// Never raises SIGPIPE: the program may have given that signal its default action, which would end it.
#[cfg(not(target_vendor = "apple"))]
pub(super) const NO_SIGNAL: c_int = libc::MSG_NOSIGNAL;
#[cfg(target_vendor = "apple")]
pub(super) const NO_SIGNAL: c_int = 0; // the standard library sets SO_NOSIGPIPE there

/// send(2).
pub(crate) fn send(socket: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    uninterrupted(|| {
        // SAFETY: pointer and length describe `bytes`.
        let sent = unsafe { libc::send(socket.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), NO_SIGNAL) };
        Ok(Errno::result(sent)?.unsigned_abs())
    })
}

/// send(2) that does not wait, whatever the socket's flags say. Async-signal-safe, signal-safety(7).
pub(crate) fn send_at_once(socket: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<()> {
    let flags = NO_SIGNAL | libc::MSG_DONTWAIT;
    // SAFETY: pointer and length describe `bytes`.
    let send = || unsafe { libc::send(socket.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), flags) };
    uninterrupted(|| Ok(Errno::result(send())?)).map(drop)
}

/// shutdown(2): every process that reads at the other end gets the end of the data. Async-signal-safe,
/// signal-safety(7).
pub(crate) fn shut_down(socket: BorrowedFd<'_>) {
    // SAFETY: changes nothing but the socket.
    unsafe { libc::shutdown(socket.as_raw_fd(), libc::SHUT_WR) };
}

/// A socket of that type, connected to that path, unix(7). Neither connecting nor a later send(2) waits.
pub(crate) fn connect(path: &Path, kind: c_int) -> io::Result<OwnedFd> {
    let address = address(path)?;
    // SAFETY: has no preconditions.
    let fd = Errno::result(unsafe { libc::socket(libc::AF_UNIX, kind, 0) })?;
    // SAFETY: just opened, and nobody else's.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    fcntl(&socket, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    fcntl(&socket, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    let length = libc::socklen_t::try_from(mem::size_of_val(&address)).map_err(io::Error::other)?;
    // SAFETY: pointer and length describe `address`.
    Errno::result(unsafe { libc::connect(socket.as_raw_fd(), (&raw const address).cast(), length) })?;
    Ok(socket)
}

fn address(path: &Path) -> io::Result<libc::sockaddr_un> {
    // SAFETY: all zeroes is a valid address: without a path, and a path that is put in ends with a NUL byte.
    let mut address: libc::sockaddr_un = unsafe { mem::zeroed() };
    address.sun_family = libc::sa_family_t::try_from(libc::AF_UNIX).map_err(io::Error::other)?;
    let bytes = path.as_os_str().as_bytes();
    if bytes.len() >= address.sun_path.len() {
        return Err(Errno::ENAMETOOLONG.into());
    }
    for (place, &byte) in address.sun_path.iter_mut().zip(bytes) {
        *place = libc::c_char::from_ne_bytes([byte]);
    }
    Ok(address)
}

/// The address family of a socket.
pub(crate) fn socket_family(fd: RawFd) -> io::Result<c_int> {
    // SAFETY: all zeroes is a valid address, of no family.
    let mut address: libc::sockaddr_storage = unsafe { mem::zeroed() };
    let mut length = libc::socklen_t::try_from(size_of_val(&address)).map_err(io::Error::other)?;
    // SAFETY: pointer and length describe `address`; a descriptor that is not a socket is refused.
    Errno::result(unsafe { libc::getsockname(fd, (&raw mut address).cast(), &raw mut length) })?;
    Ok(c_int::from(address.ss_family))
}

/// Whether it is a socket with a name and without a peer, to which others connect or send, bind(2).
pub(crate) fn is_bound_socket(fd: RawFd) -> bool {
    // SAFETY: all zeroes is a valid address, of no family.
    let mut address: libc::sockaddr_storage = unsafe { mem::zeroed() };
    let mut length = libc::socklen_t::try_from(size_of_val(&address)).unwrap_or_default();
    // SAFETY: pointer and length describe `address`; a descriptor that is not a socket is refused.
    let is_connected = Errno::result(unsafe { libc::getpeername(fd, (&raw mut address).cast(), &raw mut length) });
    if is_connected != Err(Errno::ENOTCONN) {
        return false;
    }
    length = libc::socklen_t::try_from(size_of_val(&address)).unwrap_or_default();
    // SAFETY: as above.
    let named = Errno::result(unsafe { libc::getsockname(fd, (&raw mut address).cast(), &raw mut length) });
    // The port of a raw socket is its protocol, raw(7). The name of a Unix socket without a name ends after the family.
    let has_name = usize::try_from(length).is_ok_and(|length| length > size_of::<libc::sa_family_t>());
    named.is_ok() && has_name && has_port(&address) && !is_raw(fd)
}

fn is_raw(fd: RawFd) -> bool {
    let mut kind: c_int = 0;
    let mut length = libc::socklen_t::try_from(size_of_val(&kind)).unwrap_or_default();
    // SAFETY: pointer and length describe `kind`; a descriptor that is not a socket is refused.
    unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_TYPE, (&raw mut kind).cast(), &raw mut length) };
    kind == libc::SOCK_RAW
}

/// An internet socket has no name if it has no port.
fn has_port(address: &libc::sockaddr_storage) -> bool {
    if ![libc::AF_INET, libc::AF_INET6].contains(&c_int::from(address.ss_family)) {
        return true;
    }
    // SAFETY: both kinds of address begin with the family and the port, and a storage has room for each.
    unsafe { (*(&raw const *address).cast::<libc::sockaddr_in>()).sin_port != 0 }
}

/// The process that created the other end of a pair, or that connected or listened, unix(7). 0 if it is not known.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn peer_process(fd: RawFd) -> io::Result<Pid> {
    let mut peer = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let mut length = libc::socklen_t::try_from(size_of_val(&peer)).map_err(io::Error::other)?;
    let (level, option) = (libc::SOL_SOCKET, libc::SO_PEERCRED);
    // SAFETY: pointer and length describe `peer`; a descriptor that is not a socket is refused.
    Errno::result(unsafe { libc::getsockopt(fd, level, option, (&raw mut peer).cast(), &raw mut length) })?;
    Ok(Pid::from_raw(peer.pid))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn peer_process(_: RawFd) -> io::Result<Pid> {
    Err(io::ErrorKind::Unsupported.into())
}
