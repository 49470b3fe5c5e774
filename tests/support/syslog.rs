//! The system's log, seen from the other end.

use std::{
    fs::{self, Permissions},
    io::ErrorKind,
    os::unix::{fs::PermissionsExt, net::UnixDatagram},
    process::Command,
};

use crate::Stage;

/// The directory of devices as it is, and a `log` in it that is whatever has that name in the stage.
const DEVICES: &str = "mkdir -p dev && mount -t tmpfs -o mode=755 tmpfs dev \
    && for node in null zero full random urandom tty; do touch dev/$node && mount --bind /dev/$node dev/$node; done \
    && ln -s /proc/self/fd dev/fd && ln -s \"$PWD/log.socket\" dev/log && mount --rbind dev /dev";

/// Somebody who listens at `/dev/log`, as syslogd does.
#[derive(Debug)]
pub struct Syslog(UnixDatagram);

impl Syslog {
    /// Listens to the programs of [`Stage::command_beside_syslog`].
    #[must_use]
    pub fn new(stage: &Stage) -> Self {
        Self::at(stage, "log.socket")
    }

    /// Listens at that path in the stage.
    ///
    /// # Panics
    ///
    /// Panics when the system refuses it.
    #[must_use]
    pub fn at(stage: &Stage, name: &str) -> Self {
        let path = stage.path(name);
        let socket = UnixDatagram::bind(&path).expect("bind");
        fs::set_permissions(path, Permissions::from_mode(0o666)).expect("a mode");
        stage.open_to_all();
        socket.set_nonblocking(true).expect("do not wait");
        Self(socket)
    }

    /// What has come until now.
    ///
    /// # Panics
    ///
    /// Panics when it is no text.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut buffer = vec![0; 70_000];
        let mut lines = Vec::new();
        loop {
            match self.0.recv(&mut buffer) {
                Ok(length) => lines.push(String::from_utf8(buffer[..length].to_vec()).expect("UTF-8")),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return lines,
                Err(error) => panic!("{error}"),
            }
        }
    }
}

impl Stage {
    /// A program whose `/dev/log` is the stage's `log.socket`. It takes root.
    #[must_use]
    pub fn command_beside_syslog(&self, program: &str) -> Command {
        self.command_behind(DEVICES, program)
    }
}
