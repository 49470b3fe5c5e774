//! A limit on the number of processes.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU32, Ordering::SeqCst},
};

use support::Stage;

/// A control group, cgroups(7), of either version, whose processes are counted.
pub(in super::super) struct Processes(PathBuf);

impl Processes {
    pub(in super::super) fn new() -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("daemon-test-processes-{}-{}", std::process::id(), COUNT.fetch_add(1, SeqCst));
        let directories = ["/sys/fs/cgroup/pids", "/sys/fs/cgroup"].map(|root| Path::new(root).join(&name));
        let mut created = directories.into_iter().filter(|directory| fs::create_dir(directory).is_ok()).map(Self);
        created.find(|group| group.0.join("pids.max").exists())
    }

    /// A program in it, with all that it starts.
    pub(in super::super) fn command(&self, stage: &Stage, program: impl AsRef<OsStr>) -> Command {
        let mut shell = stage.command("sh");
        shell.args(["-c", &format!("echo $$ >{}/cgroup.procs && exec \"$@\"", self.0.display()), "sh"]).arg(program);
        shell
    }

    pub(in super::super) fn limit(&self, limit: &str) {
        fs::write(self.0.join("pids.max"), limit).expect("set the limit");
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}
