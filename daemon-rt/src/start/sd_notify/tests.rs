use std::{ffi::OsStr, os::unix::ffi::OsStrExt, path::Path};

use super::address;
use crate::random::{cases, text};

/// unix(7): 108 bytes, of which a path needs one for its end, and an abstract name one for its beginning.
const LONGEST: usize = 107;

#[test]
fn a_socket_is_a_path_or_an_abstract_name() {
    for mut rng in cases() {
        let longest = if rng.bool() { 12 } else { 2 * LONGEST };
        let socket = text(&mut rng, b"@@@//run/\xff\n .", longest);
        check(&socket);
        check(&[&socket[..], b"\0"].concat());
    }
    for length in LONGEST - 2..LONGEST + 3 {
        check(&vec![b'/'; length]);
        check(&[b"@", &vec![b'a'; length][..]].concat());
    }
}

fn check(socket: &[u8]) {
    let seen = address(OsStr::from_bytes(socket));
    let shown = socket.escape_ascii();
    match socket.strip_prefix(b"@") {
        Some(_) if !cfg!(any(target_os = "linux", target_os = "android")) => {}
        Some(name) => {
            assert_eq!(seen.is_ok(), name.len() <= LONGEST, "{shown}");
            #[cfg(any(target_os = "linux", target_os = "android"))]
            if let Ok(address) = seen {
                use std::os::linux::net::SocketAddrExt;
                assert_eq!(address.as_abstract_name(), Some(name), "{shown}");
            }
        }
        None => {
            let is_path = socket.starts_with(b"/") && socket.len() <= LONGEST && !socket.contains(&0);
            assert_eq!(seen.is_ok(), is_path, "{shown}");
            let path = seen.ok().and_then(|address| address.as_pathname().map(Path::to_owned));
            assert!(path.is_none_or(|path| path.as_os_str().as_bytes() == socket), "{shown}");
        }
    }
}
