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
};

use super::signals::uninterrupted;

/// send(2) that never raises SIGPIPE: the program may have given that signal back its deadly default.
pub(crate) fn send(socket: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    #[cfg(target_vendor = "apple")]
    let flags = 0; // the standard library sets SO_NOSIGPIPE there
    #[cfg(not(target_vendor = "apple"))]
    let flags = libc::MSG_NOSIGNAL;
    uninterrupted(|| {
        // SAFETY: pointer and length describe `bytes`.
        let sent = unsafe { libc::send(socket.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), flags) };
        Ok(Errno::result(sent)?.unsigned_abs())
    })
}

/// The same, with a descriptor that the receiver gets a copy of, or has closed where it does not take it, unix(7).
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn send_with(socket: BorrowedFd<'_>, bytes: &[u8], descriptor: BorrowedFd<'_>) -> io::Result<()> {
    /// Room for a header and a descriptor, aligned as a header has to be.
    #[repr(C, align(8))]
    struct Control([u8; 64]);

    const LENGTH: libc::c_uint = 4; // that of a descriptor
    let mut text = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let mut control = Control([0; 64]);
    // SAFETY: a message of zeroes is one without parts.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    (message.msg_iov, message.msg_iovlen) = (&raw mut text, 1);
    message.msg_control = control.0.as_mut_ptr().cast();
    // SAFETY: it computes a length, which is 24, and less than there is.
    message.msg_controllen = unsafe { libc::CMSG_SPACE(LENGTH) } as _;
    // SAFETY: `control` has room for the header that stands first, and for the descriptor behind it.
    unsafe {
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        (*header).cmsg_level = libc::SOL_SOCKET;
        (*header).cmsg_type = libc::SCM_RIGHTS;
        (*header).cmsg_len = libc::CMSG_LEN(LENGTH) as _;
        libc::CMSG_DATA(header).cast::<c_int>().write_unaligned(descriptor.as_raw_fd());
    }
    uninterrupted(|| {
        // SAFETY: all that the message points to is there, and nothing of it is written to.
        let sent = unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const message, libc::MSG_NOSIGNAL) };
        Ok(Errno::result(sent).map(drop)?)
    })
}

/// A socket of this machine: socket(2) of that type and connect(2), unix(7), none of which waits, and neither does
/// send(2) afterwards.
pub(crate) fn connect(path: &Path, kind: c_int) -> io::Result<OwnedFd> {
    let address = address(path)?;
    // SAFETY: has no preconditions.
    let number = Errno::result(unsafe { libc::socket(libc::AF_UNIX, kind, 0) })?;
    // SAFETY: just opened, and nobody else's.
    let socket = unsafe { OwnedFd::from_raw_fd(number) };
    fcntl(&socket, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    fcntl(&socket, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    let length = libc::socklen_t::try_from(mem::size_of_val(&address)).map_err(io::Error::other)?;
    // SAFETY: pointer and length describe `address`.
    Errno::result(unsafe { libc::connect(socket.as_raw_fd(), (&raw const address).cast(), length) })?;
    Ok(socket)
}

fn address(path: &Path) -> io::Result<libc::sockaddr_un> {
    // SAFETY: all zeroes is a valid address: no path, and behind one the NUL byte that ends it.
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
    // SAFETY: pointer and length describe `address`; what is no socket is refused.
    Errno::result(unsafe { libc::getsockname(fd, (&raw mut address).cast(), &raw mut length) })?;
    Ok(c_int::from(address.ss_family))
}
