//! The table of options.

use proc_macro2::Ident;

use crate::checks::{self, Check};
use crate::edit_distance::edit_distance;

/// What is known of an option at compile time.
pub(crate) struct Key {
    pub(crate) name: &'static str,
    /// A value, as the messages show it: it compiles without an import.
    pub(crate) example: &'static str,
    /// Whether the key alone means `true`.
    pub(crate) is_flag: bool,
    pub(crate) check: Check,
    /// Its names in other libraries and service managers.
    aliases: &'static [&'static str],
}

/// All options. Each but `setup` and `crate` is the method of `Daemon` with the same name.
#[rustfmt::skip]
const KEYS: &[Key] = &[
    value("name", r#""clockd""#, checks::text, &["process_name"]),
    value("stdin", "daemon_rt::Stdio::null()", checks::stream, &["StandardInput"]),
    value("stdout", r#""/var/log/app.log""#, checks::stream, &["StandardOutput", "log", "log_file", "logfile"]),
    value("stderr", r#""/var/log/app.err""#, checks::stream, &["StandardError", "error_log"]),
    value("umask", "0o027", checks::umask, &["file_mode_creation_mask"]),
    value("chdir", r#""/var/lib/app""#, checks::path, &["working_directory", "WorkingDirectory", "working_dir", "directory", "dir", "cwd"]),
    value("chroot", r#""/srv/jail""#, checks::path, &["root_directory", "RootDirectory", "chroot_directory", "jail"]),
    value("user", r#""www-data""#, checks::account, &["User", "uid", "username", "setuid", "run_as"]),
    value("group", r#""www-data""#, checks::account, &["Group", "gid", "groupname", "setgid"]),
    flag("no_new_privs", checks::ANY, &["NoNewPrivileges", "no_new_privileges"]),
    flag("reopen_logs", checks::ANY, &["reopen", "reopen_log", "reload", "logrotate", "rotate_logs", "log_reopen"]),
    value("pidfile", r#""/run/app.pid""#, checks::path, &["pid_file", "PIDFile", "pid", "lockfile", "lock_file"]),
    value("keep_env", r#"["PATH", "LANG"]"#, checks::list, &["PassEnvironment", "env", "environment", "pass_env", "env_keep"]),
    value("keep_fds", "[3, 4]", checks::list, &["files_preserve", "preserve_fds", "inherit_fds"]),
    value("detach", "daemon_rt::Detach::Always", checks::detach, &["detach_process", "daemonize", "background", "foreground", "fork"]),
    flag("notify", checks::ANY, &["sd_notify", "ready"]),
    value("ready_fd", "3", checks::ready_fd, &["notification_fd", "notify_fd", "readiness_fd"]),
    value("start_timeout", "std::time::Duration::from_secs(90)", checks::duration, &["TimeoutStartSec", "timeout"]),
    value("stop_timeout", "std::time::Duration::from_secs(10)", checks::duration, &["TimeoutStopSec", "shutdown_timeout", "grace_period", "kill_timeout"]),
    value("respawn", "daemon_rt::Respawn::on_failure()", checks::respawn, &["Restart", "restart", "supervise", "keep_alive", "auto_restart"]),
    value("setup", "setup", checks::function, &["privileged_action", "before_fork", "init"]),
    value("crate", "::daemon_rt", checks::crate_path, &["krate"]),
];

const fn value(name: &'static str, example: &'static str, check: Check, aliases: &'static [&'static str]) -> Key {
    Key { name, example, is_flag: false, check, aliases }
}

const fn flag(name: &'static str, check: Check, aliases: &'static [&'static str]) -> Key {
    Key { name, example: "true", is_flag: true, check, aliases }
}

/// The option of that name.
pub(crate) fn find(key: &Ident) -> Option<&'static Key> {
    KEYS.iter().find(|known| key == known.name)
}

/// The message for an unknown key.
pub(crate) fn unknown(key: &str) -> String {
    if let Some(meant) = meant(key) {
        return format!("unknown option `{key}`; did you mean `{meant}`?");
    }
    let names: Vec<_> = KEYS.iter().map(|known| format!("`{}`", known.name)).collect();
    format!("unknown option `{key}`; expected one of {}", names.join(", "))
}

/// The option that `key` probably means: the one with that alias, or the one with the closest name.
fn meant(key: &str) -> Option<&'static str> {
    let key = key.replace('-', "_");
    if let Some(known) = KEYS.iter().find(|known| known.aliases.contains(&key.as_str())) {
        return Some(known.name);
    }
    let key = key.to_lowercase();
    let slips = |known: &&Key| edit_distance(&key, known.name);
    let closest = KEYS.iter().min_by_key(slips)?;
    let allowed = closest.name.len().max(key.len()) / 3;
    (slips(&closest) <= allowed).then_some(closest.name)
}
