use std::os::{fd::AsFd, unix::net::UnixStream};

use super::{HANDLES, Handle, lock};

#[test]
fn none_is_left_of_those_that_were_dropped() {
    let (socket, _) = UnixStream::pair().expect("two sockets");
    for _ in 0..10 {
        let _ = Handle::new(socket.as_fd());
    }
    assert_eq!(lock(&HANDLES).len(), 1);
}
