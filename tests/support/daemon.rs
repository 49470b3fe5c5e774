//! The other end of a probe's connection.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::net::UnixStream,
    time::Duration,
};

use nix::{
    sys::{
        signal::Signal,
        socket::{getsockopt, sockopt::PeerCredentials},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};

use crate::{DEADLINE, Process, within};

/// A daemon that reported, and obeys. It is killed when this is dropped, and is no zombie of this process afterwards:
/// the more processes there are, the longer it takes to look through them.
#[derive(Debug)]
pub struct Daemon {
    connection: BufReader<UnixStream>,
    /// The process that reported.
    pub process: Process,
    /// What it saw when `main` began.
    pub sight: Sight,
}

/// What a probe sees: values by their names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sight(BTreeMap<String, String>);

impl Daemon {
    pub(crate) fn new(stream: UnixStream) -> Self {
        stream.set_read_timeout(Some(DEADLINE)).expect("set a timeout");
        let peer = Process(getsockopt(&stream, PeerCredentials).expect("who connected").pid());
        let mut connection = BufReader::new(stream);
        let sight = Sight::parse(&answer(&mut connection).expect("a report"));
        // In another pid namespace it has another number there; the kernel told ours, unix(7) SO_PEERCRED.
        let process = if is_elsewhere(peer) { peer } else { Process(sight.number("pid")) };
        Self { connection, process, sight }
    }

    /// Sends a command, and returns the answer to it.
    ///
    /// # Panics
    ///
    /// Panics when there is none.
    pub fn ask(&mut self, command: &str) -> String {
        self.send(command);
        self.answer()
    }

    /// Waits for the answer to a command that was sent.
    ///
    /// # Panics
    ///
    /// Panics when there is none.
    #[must_use]
    pub fn answer(&mut self) -> String {
        answer(&mut self.connection).expect("the probe ended instead of an answer")
    }

    /// The same where it may take that long.
    ///
    /// # Panics
    ///
    /// Panics when there is none.
    #[must_use]
    pub fn answer_within(&mut self, time: Duration) -> String {
        self.connection.get_ref().set_read_timeout(Some(time)).expect("set a timeout");
        self.answer()
    }

    /// Sends a command that the daemon does not survive.
    ///
    /// # Panics
    ///
    /// Panics when the daemon is not there.
    pub fn send(&mut self, command: &str) {
        writeln!(self.connection.get_mut(), "{command}").expect("send a command");
    }

    /// What it sees now.
    pub fn look(&mut self) -> Sight {
        Sight::parse(&self.ask("look"))
    }

    /// Waits until it has ended.
    #[allow(clippy::must_use_candidate, reason = "it is called for the wait")]
    pub fn wait(&self) -> WaitStatus {
        self.process.wait()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.process.signal(Signal::SIGKILL);
        within(DEADLINE, || match waitpid(Pid::from_raw(self.process.0), Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) => None,
            Ok(_) | Err(_) => Some(()), // an error: somebody else's child, or reaped
        });
    }
}

impl Sight {
    fn parse(text: &str) -> Self {
        Self(
            text.lines()
                .filter_map(|line| line.split_once('='))
                .map(|(key, value)| (key.into(), value.into()))
                .collect(),
        )
    }

    /// A value by its name.
    ///
    /// # Panics
    ///
    /// Panics when the probe did not tell it.
    #[must_use]
    pub fn get(&self, key: &str) -> &str {
        self.0.get(key).unwrap_or_else(|| panic!("no {key} in {self:?}"))
    }

    /// A number by its name.
    ///
    /// # Panics
    ///
    /// Panics when the probe did not tell it, or it is none.
    #[must_use]
    pub fn number(&self, key: &str) -> i32 {
        self.get(key).parse().unwrap_or_else(|_| panic!("{key} is no number in {self:?}"))
    }

    /// The open descriptors, and what they are open on.
    #[must_use]
    pub fn descriptors(&self) -> BTreeMap<i32, &str> {
        self.0.iter().filter_map(|(key, value)| Some((key.strip_prefix("fd")?.parse().ok()?, value.as_str()))).collect()
    }
}

/// Whether it is in another pid namespace.
fn is_elsewhere(process: Process) -> bool {
    let namespace = |Process(id)| fs::read_link(format!("/proc/{id}/ns/pid"));
    namespace(process).is_ok_and(|its| Some(its) != namespace(Process::own()).ok())
}

/// The lines up to a single dot.
fn answer(connection: &mut BufReader<UnixStream>) -> Option<String> {
    let mut text = String::new();
    loop {
        let start = text.len();
        if connection.read_line(&mut text).expect("an answer in time") == 0 {
            return None;
        }
        if &text[start..] == ".\n" {
            text.truncate(start);
            return Some(text.trim_end().to_owned());
        }
    }
}
