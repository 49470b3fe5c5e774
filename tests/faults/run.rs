//! One start under the tracer, and what is heard of it.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

use support::DEADLINE;

use super::scene::{Place, Scene};

pub(crate) struct Run {
    first: &'static str,
    tracer: Child,
    lines: Receiver<String>,
    output: Receiver<String>,
    /// The calls of the start, where they are listed.
    pub(crate) calls: Vec<String>,
    /// Whether the place was reached at which the fault is, and a process that is to be killed was there.
    pub(crate) is_hit: bool,
    /// Whether `main` began.
    pub(crate) is_in_main: bool,
    /// Whether the leader has left the daemon to itself.
    pub(crate) is_left: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    /// `main` began.
    Main,
    /// The program that was started has ended, with that status.
    Exit(i32),
    /// The leader has ended because the daemon is ready.
    Left,
    /// Nobody is there any more.
    End,
}

impl Run {
    pub(crate) fn start(scene: &Scene, place: &Place, options: &[String]) -> Self {
        let mut tracer = scene
            .command(place, options)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("start the tracer");
        let (line, lines) = channel();
        let stdout = BufReader::new(tracer.stdout.take().expect("a pipe"));
        thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|read| line.send(read)));
        let (said, output) = channel();
        let mut stderr = tracer.stderr.take().expect("a pipe");
        thread::spawn(move || {
            let mut bytes = Vec::new();
            stderr.read_to_end(&mut bytes).map(|_| said.send(String::from_utf8_lossy(&bytes).into_owned()))
        });
        let first = scene.processes()[0];
        Self { first, tracer, lines, output, calls: Vec::new(), is_hit: false, is_in_main: false, is_left: false }
    }

    /// What happens next; none if nothing does in that time.
    pub(crate) fn next_within(&mut self, time: Duration) -> Option<Event> {
        let end = Instant::now() + time;
        loop {
            let line = match self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => line,
                Err(RecvTimeoutError::Disconnected) => return Some(Event::End),
                Err(RecvTimeoutError::Timeout) => return None,
            };
            match line.split_once(' ').unwrap_or((&line, "")) {
                ("call", call) => self.calls.push(call.into()),
                ("hit", _) => self.is_hit = true,
                ("main", _) => {
                    self.is_in_main = true;
                    return Some(Event::Main);
                }
                ("exit", who) => match who.split_once(' ').expect("a process and a status") {
                    (process, status) if process == self.first => {
                        return Some(Event::Exit(status.parse().expect("a status")));
                    }
                    ("leader", "0") => {
                        self.is_left = true;
                        return Some(Event::Left);
                    }
                    _ => {}
                },
                _ => panic!("the tracer says {line}"),
            }
        }
    }

    pub(crate) fn next(&mut self) -> Result<Event, String> {
        self.next_within(DEADLINE).ok_or_else(|| "it hangs".into())
    }

    pub(crate) fn reach_end(&mut self) -> Result<(), String> {
        loop {
            match self.next_within(DEADLINE) {
                None => return Err("somebody is left behind".into()),
                Some(Event::End) => return Ok(()),
                Some(_) => {}
            }
        }
    }

    /// What came out, once nobody can write any more: neither the launcher nor a daemon that has its streams.
    pub(crate) fn output(&mut self) -> Result<String, String> {
        self.output.recv_timeout(DEADLINE).map_err(|_| "the launcher's streams are still open".into())
    }
}

impl Drop for Run {
    /// Whom it traces still ends with it.
    fn drop(&mut self) {
        let _ = self.tracer.kill();
        let _ = self.tracer.wait();
    }
}
