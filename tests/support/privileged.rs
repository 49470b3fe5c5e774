//! Programs that gain privileges by exec, and a user who calls them.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use nix::sys::statvfs::{FsFlags, statvfs};

use crate::{Process, Stage, are_installed, is_root, skip};

/// What makes somebody else, `nobody`, of root.
pub const NOBODY: [&str; 5] = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"];

impl Stage {
    /// A copy of a program of root's with that mode, for everybody to call: `0o4755` is set-user-ID. Says what the test
    /// needs where that is not to be.
    ///
    /// # Panics
    ///
    /// Panics when the system refuses it.
    #[must_use]
    pub fn copy_with_mode(&self, program: &str, mode: u32) -> Option<PathBuf> {
        self.copy_to_gain(program, |copy| {
            fs::set_permissions(copy, Permissions::from_mode(mode)).expect("a mode");
        })
    }

    /// The same with file capabilities, in the words of setcap(8).
    ///
    /// # Panics
    ///
    /// Panics when the file system takes none.
    #[must_use]
    pub fn copy_with_capabilities(&self, program: &str, capabilities: &str) -> Option<PathBuf> {
        if !are_installed(&["setcap"]) {
            return None;
        }
        self.copy_to_gain(program, |copy| {
            fs::set_permissions(copy, Permissions::from_mode(0o755)).expect("a mode");
            let status = Command::new("setcap").arg(capabilities).arg(copy).status().expect("start setcap");
            assert!(status.success(), "{capabilities}");
        })
    }

    fn copy_to_gain(&self, program: &str, give: impl FnOnce(&Path)) -> Option<PathBuf> {
        if !is_root() || !are_installed(&["setpriv"]) {
            return None;
        }
        if statvfs(self.directory()).expect("its file system").flags().contains(FsFlags::ST_NOSUID) {
            skip("a file system that is not mounted with nosuid");
            return None;
        }
        if Process::own().status("NoNewPrivs").as_deref() != Some("0") {
            skip("processes without no_new_privs");
            return None;
        }
        self.open_to_all();
        let copy = self.copy(program);
        give(&copy);
        Some(copy)
    }

    /// A program that `nobody` calls.
    #[must_use]
    pub fn command_of_nobody(&self, program: &Path) -> Command {
        let [setpriv, arguments @ ..] = NOBODY;
        let mut command = self.command(setpriv);
        command.args(arguments).arg(program);
        command
    }
}
