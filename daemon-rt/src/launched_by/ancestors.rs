//! The processes above this one that stand in for it: shells and wrappers, which pass a manager's variables on to what
//! they run.

use std::{ffi::OsStr, fs, os::unix::ffi::OsStrExt, path::Path};

use nix::libc::pid_t;

use super::parent::kept_of;
use crate::proc::{self, Stat};

const SHELLS: [&str; 11] = ["sh", "dash", "bash", "ash", "busybox", "zsh", "ksh", "mksh", "fish", "tcsh", "csh"];

/// Programs that run another one on its behalf, and wait for its end. Those that exec it are never seen: env, nice,
/// nohup, chrt, setpriv, systemd-cat, chroot.
const WRAPPERS: [&str; 22] = [
    "su",
    "sudo",
    "doas",
    "runuser",
    "flock",
    "timeout",
    "time",
    "strace",
    "xargs",
    "setsid",
    "unshare",
    "nsenter",
    "script",
    "start-stop-daemon", // with `--notify-await`
    "systemd-inhibit",
    "tini",
    "tini-static",
    "docker-init",
    "dumb-init",
    "catatonit",
    "podman-init",
    "bwrap",
];

/// More levels than anybody uses. If numbers are reused meanwhile, the parents could form a circle.
const MOST: usize = 64;

pub(super) struct Ancestors {
    /// Shells and wrappers, from the parent upwards.
    between: Vec<pid_t>,
    /// The first ancestor that is neither. None if it is in another pid namespace, whose numbers mean nothing here.
    first: Option<First>,
}

/// The program that started the shells and wrappers above this process.
struct First {
    id: pid_t,
    name: Option<String>,
}

impl Ancestors {
    pub(super) fn above(parent: pid_t) -> Self {
        let mut between = Vec::new();
        if !proc::is_of_this_namespace() {
            return Self { between, first: None };
        }
        let mut id = parent;
        while id != 0 {
            let seen = look_at(id);
            match seen {
                Some((name, above)) if between.len() < MOST && stands_in(id, &name) => {
                    between.push(id);
                    id = above;
                }
                seen => {
                    let name = seen.map(|(name, _)| name);
                    return Self { between, first: Some(First { id, name }) };
                }
            }
        }
        Self { between, first: None }
    }

    /// Whether systemd set its variables for this process, if the process that it started has that number. Below any
    /// program that is not a shell or a wrapper, the variables are meant for that program.
    pub(super) fn lead_to(&self, systemd_exec_pid: Option<u32>) -> bool {
        let is_named = |&id: &pid_t| u32::try_from(id).ok() == systemd_exec_pid;
        self.first.is_none() || self.between.iter().any(is_named)
    }

    /// Whether the first ancestor set this variable itself. That is so if its own environment lacks the variable, but
    /// has `beside`, which both inherited.
    pub(super) fn wrote(&self, variable: (&str, &OsStr), beside: (&str, &OsStr)) -> bool {
        let Some(environment) = self.first.as_ref().and_then(First::environment) else { return false };
        environment.has(beside) && !environment.has(variable)
    }

    /// Whether supervisord supervises this process, and not one that started it. Supervisord is known by its name. A
    /// supervised program is known by its own environment, which has the variable, too.
    pub(super) fn are_supervisord(&self) -> bool {
        let Some(first) = &self.first else { return true };
        let is_supervised = || {
            let environment = first.environment();
            environment.is_some_and(|environment| environment.names("SUPERVISOR_ENABLED"))
        };
        first.name.as_deref() == Some("supervisord") || !is_supervised()
    }
}

/// The environment that a program got by exec. Not everybody may read it, and a program may have overwritten it, as
/// those do that change their title in ps(1).
struct Passed(Vec<u8>);

impl First {
    fn environment(&self) -> Option<Passed> {
        fs::read(format!("/proc/{}/environ", self.id)).ok().map(Passed)
    }
}

impl Passed {
    fn has(&self, (name, value): (&str, &OsStr)) -> bool {
        self.values(name).any(|found| found == value.as_bytes())
    }

    fn names(&self, name: &str) -> bool {
        self.values(name).next().is_some()
    }

    fn values<'all>(&'all self, name: &'all str) -> impl Iterator<Item = &'all [u8]> {
        self.0
            .split(|&byte| byte == 0)
            .filter_map(|variable| variable.strip_prefix(name.as_bytes())?.strip_prefix(b"="))
    }
}

/// A process's name, and its parent. The name may contain parentheses, proc(5).
fn look_at(id: pid_t) -> Option<(String, pid_t)> {
    let stat = Stat::of(id).ok()?;
    Some((stat.name()?.to_owned(), stat.field(4)?.parse().ok()?))
}

/// A script that is executed by its name has that name, and its shell is the zeroth argument, execve(2).
fn stands_in(id: pid_t, name: &str) -> bool {
    let is = |names: &[&str], name: &str| names.iter().any(|known| kept_of(known) == name);
    is(&SHELLS, name) || is(&WRAPPERS, name) || interpreter(id, name).is_some_and(|shell| is(&SHELLS, &shell))
}

/// The program that interprets the script of that name.
fn interpreter(id: pid_t, script: &str) -> Option<String> {
    let line = fs::read(format!("/proc/{id}/cmdline")).ok()?;
    let mut arguments =
        line.split(|&byte| byte == 0).map(|argument| Path::new(OsStr::from_bytes(argument)).file_name());
    let interpreter = arguments.next()??;
    // The script may follow an argument from its first line.
    let mut may_be_script = arguments.take(2).flatten().map(OsStr::as_bytes);
    let is_script = may_be_script.any(|name| name.get(..15).unwrap_or(name) == script.as_bytes());
    is_script.then(|| String::from_utf8_lossy(interpreter.as_bytes()).into_owned())
}
