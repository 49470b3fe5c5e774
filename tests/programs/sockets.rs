//! Sockets of many kinds, for `setup` to have.

use std::{
    env,
    error::Error,
    os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
};

use daemon_rt::Daemon;
use nix::{
    fcntl::{FcntlArg, fcntl},
    sys::socket::{
        AddressFamily, Backlog, SockFlag, SockProtocol, SockType, SockaddrIn, SockaddrIn6, UnixAddr, bind, listen,
        socket,
    },
};

/// `KIND@NUMBER`: makes a socket with a number that is not below that one; or takes the one that was passed in its place, as
/// the first, the second and so on.
pub(crate) fn open(daemon: &mut Daemon, index: usize, word: &str) -> Result<OwnedFd, Box<dyn Error>> {
    let passed = env::var("LISTEN_FDS").map_or(Ok(0), |passed| passed.parse::<usize>())?;
    if index < passed {
        return Ok(daemon.take_fd(RawFd::try_from(3 + index)?)?);
    }
    let (kind, number) = word.split_once('@').ok_or("KIND@NUMBER")?;
    let made = make(kind)?;
    let number = fcntl(&made, FcntlArg::F_DUPFD_CLOEXEC(number.parse()?))?;
    // SAFETY: just opened.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

fn make(kind: &str) -> Result<OwnedFd, Box<dyn Error>> {
    let of = |family, kind, protocol| socket(family, kind, SockFlag::SOCK_CLOEXEC, protocol);
    let (ip, ip6) = (SockaddrIn::new(127, 0, 0, 1, 0), SockaddrIn6::from("[::1]:0".parse::<std::net::SocketAddrV6>()?));
    let abstract_name = UnixAddr::new_unnamed(); // the system chooses one, unix(7)
    let unix = |kind| -> nix::Result<OwnedFd> {
        let socket = of(AddressFamily::Unix, kind, None)?;
        bind(socket.as_raw_fd(), &abstract_name)?;
        Ok(socket)
    };
    let listening = |socket: OwnedFd| listen(&socket, Backlog::new(8)?).map(|()| socket);
    let on_ip = |kind| {
        let socket = of(AddressFamily::Inet, kind, None)?;
        bind(socket.as_raw_fd(), &ip).map(|()| socket)
    };
    let on_ip6 = |kind| {
        let socket = of(AddressFamily::Inet6, kind, None)?;
        bind(socket.as_raw_fd(), &ip6).map(|()| socket)
    };
    Ok(match kind {
        "tcp" => listening(on_ip(SockType::Stream)?)?,
        "tcp-bound" => on_ip(SockType::Stream)?,
        "tcp6" => listening(on_ip6(SockType::Stream)?)?,
        "udp" => on_ip(SockType::Datagram)?,
        "udp6" => on_ip6(SockType::Datagram)?,
        "stream" => listening(unix(SockType::Stream)?)?,
        "seqpacket" => listening(unix(SockType::SeqPacket)?)?,
        "dgram" => unix(SockType::Datagram)?,
        "unbound" => of(AddressFamily::Unix, SockType::Datagram, None)?,
        "unbound-udp" => of(AddressFamily::Inet, SockType::Datagram, None)?,
        "netlink" => of(AddressFamily::Netlink, SockType::Raw, Some(SockProtocol::NetlinkRoute))?,
        "raw" => of(AddressFamily::Inet, SockType::Raw, Some(SockProtocol::Icmp))?,
        other => return Err(format!("unknown kind {other}").into()),
    })
}
