//! A host of its own, on which a test may install what it likes.

use std::{io, net::TcpStream, path::Path, process::Child, time::Duration};

use crate::{Launch, Process, Stage, are_installed, eventually, is_root};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../managers/host.sh");

/// An image that podman builds by copying each of its layers takes long where other work has the processors.
const UNTIL_BUILT: Duration = Duration::from_secs(100);

/// It is gone, with all that runs there, when this is dropped.
#[derive(Debug)]
pub struct Host {
    /// What its directories are laid over, and where its commands run.
    pub stage: Stage,
    unshare: Child,
    init: Process,
}

impl Host {
    /// Brings it up with those files, each copied from the first path to the second. Says what the test needs where
    /// that is not to be, or where one of the test's tools is missing.
    ///
    /// # Panics
    ///
    /// Panics when it does not come up in time.
    #[must_use]
    pub fn boot(tools: &[&str], files: &[(&Path, &str)]) -> Option<Self> {
        if !is_root() || !are_installed(&["ip", "nsenter", "unshare"]) || !are_installed(tools) {
            return None;
        }
        let stage = Stage::new();
        let log = stage.create("log");
        let mut command = stage.command("unshare");
        command.args(["--fork", "--kill-child", "--pid", "--mount", "--net", "--propagation", "private", SCRIPT]);
        command.arg(stage.directory()).args(files.iter().map(|(file, path)| format!("{}={path}", file.display())));
        command.stdout(log.try_clone().expect("duplicate a descriptor")).stderr(log);
        let mut unshare = command.spawn().expect("start a host");
        let init = eventually("a host", || {
            let ended = unshare.try_wait().expect("wait for the host");
            assert_eq!(ended, None, "{}", stage.read("log"));
            stage.read("init").strip_suffix('\n')?.parse().ok().map(Process)
        });
        Some(Self { stage, unshare, init })
    }

    /// Runs a command of the shell there to its end, in the stage's directory.
    ///
    /// # Panics
    ///
    /// Panics when it does not end in time.
    #[must_use]
    pub fn run(&self, command: &str) -> Launch {
        let mut nsenter = self.stage.command("nsenter");
        nsenter.args(["--target", &self.init.0.to_string(), "--pid", "--mount", "--net"]);
        nsenter.arg(format!("--wdns={}", self.stage.directory().display())).arg("--");
        // It stays, so that what it starts has a parent there.
        let launcher = self.stage.start(nsenter.args(["sh", "-c", &format!("{command}\nexit $?")]));
        launcher.end_within(UNTIL_BUILT).unwrap_or_else(|so_far| panic!("it does not end: {so_far:?}"))
    }

    /// A connection on its loopback interface.
    ///
    /// # Errors
    ///
    /// Nobody listens there.
    pub fn connect(&self, port: u16) -> io::Result<TcpStream> {
        self.init.connect(port)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.unshare.kill();
        let _ = self.unshare.wait();
    }
}
