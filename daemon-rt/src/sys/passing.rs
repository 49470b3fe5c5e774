//! Passes a descriptor from one process to another, unix(7).

use std::{
    io, mem,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
    ptr,
};

use nix::{
    errno::Errno,
    libc::{self, c_int},
};

use super::{fd::set_close_on_exec, signals::uninterrupted, sockets::NO_SIGNAL};

/// Room for one descriptor in addition to the bytes, aligned as its header needs it, cmsg(3).
#[repr(C)]
union Control {
    header: libc::cmsghdr,
    bytes: [u8; 64],
}

/// Sends the bytes, together with the descriptor if there is one.
pub(crate) fn send_with_file(socket: BorrowedFd<'_>, bytes: &[u8], file: Option<BorrowedFd<'_>>) -> io::Result<()> {
    let mut place = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let mut control = Control { bytes: [0; 64] };
    let mut message = message(&mut place, &mut control);
    match file {
        // SAFETY: the control buffer of the message has room for one header with a descriptor, and is aligned for it.
        Some(file) => unsafe {
            message.msg_controllen = size(libc::CMSG_SPACE(size(size_of::<c_int>())?))?;
            let header = libc::CMSG_FIRSTHDR(&raw const message);
            (*header).cmsg_level = libc::SOL_SOCKET;
            (*header).cmsg_type = libc::SCM_RIGHTS;
            (*header).cmsg_len = size(libc::CMSG_LEN(size(size_of::<c_int>())?))?;
            ptr::write_unaligned(libc::CMSG_DATA(header).cast(), file.as_raw_fd());
        },
        None => message.msg_controllen = 0,
    }
    // SAFETY: the message describes `bytes`, which are only read, and the control buffer.
    let send = || Ok(Errno::result(unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const message, NO_SIGNAL) })?);
    uninterrupted(send).map(drop)
}

/// Receives what one call sent: how many bytes, and the descriptor. It is closed on exec.
pub(crate) fn receive_with_file(socket: BorrowedFd<'_>, bytes: &mut [u8]) -> io::Result<(usize, Option<OwnedFd>)> {
    let mut place = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
    let mut control = Control { bytes: [0; 64] };
    let mut message = message(&mut place, &mut control);
    // SAFETY: the message describes `bytes` and the control buffer, both of which are borrowed mutably here.
    let receive = || Ok(Errno::result(unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, 0) })?);
    let length = uninterrupted(receive)?.unsigned_abs();
    // SAFETY: the kernel has written the headers. If the first one says that it has a descriptor, that is open now and
    // has no owner yet.
    let file = unsafe {
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        let has_file =
            !header.is_null() && ((*header).cmsg_level, (*header).cmsg_type) == (libc::SOL_SOCKET, libc::SCM_RIGHTS);
        has_file.then(|| OwnedFd::from_raw_fd(ptr::read_unaligned(libc::CMSG_DATA(header).cast())))
    };
    if let Some(file) = &file {
        set_close_on_exec(file.as_raw_fd(), true)?;
    }
    Ok((length, file))
}

fn message(place: &mut libc::iovec, control: &mut Control) -> libc::msghdr {
    // SAFETY: all zeroes is a valid message: no address, no bytes, no control data.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_iov = place;
    message.msg_iovlen = 1;
    message.msg_control = ptr::from_mut(control).cast();
    message.msg_controllen = size_of::<Control>() as _;
    message
}

/// The type of these sizes differs between C libraries.
fn size<T, U: TryFrom<T, Error: std::error::Error + Send + Sync + 'static>>(size: T) -> io::Result<U> {
    size.try_into().map_err(io::Error::other)
}
