//! What an option does, one file for each.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt, chown},
    path::Path,
};

use support::Stage;

mod chdir;
mod chroot;
mod keep_env;
mod keep_fds;
mod notify;
mod ready_fd;
mod reopen_logs;
mod respawn;
mod rotate;
mod streams;
mod umask;
mod upgrade;

const NOBODY: u32 = 65534;

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("a mode");
}

/// One that others may enter.
fn directory(stage: &Stage, name: &str, owner: u32) {
    stage.create_directory(name);
    set_mode(&stage.path(name), 0o755);
    chown(stage.path(name), Some(owner), Some(owner)).expect("give it away");
}
