//! The parent: the process that started this one, or that adopted it.

use std::{fs, thread, time::Duration};

use nix::{
    libc::pid_t,
    unistd::{Pid, getpgid, getpid, getppid},
};

use crate::proc::{self, Stat};

/// Programs that fork and exit, so that process 1 or a subreaper adopts the child. Until they have exited, which parent
/// is seen is a matter of luck.
const LEAVING: [&str; 3] = ["daemonize", "setsid", "start-stop-daemon"];

/// How long such a parent may sleep. If it sleeps longer, it is waiting for its child.
const SLEEPS: Duration = Duration::from_millis(100);

/// How long it may take to exit on a busy machine.
const LEAVES: Duration = Duration::from_secs(5);

const BETWEEN_LOOKS: Duration = Duration::from_millis(1);

pub(super) struct Parent {
    /// 0 if it is in another pid namespace, `pid_namespaces(7)`.
    pub(super) id: pid_t,
    pub(super) group: Group,
    name: Option<String>,
}

/// The process group that this process is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Group {
    /// This process leads it.
    Own,
    /// The parent is in it, too.
    Shared,
    Another,
}

impl Parent {
    pub(super) fn find() -> Self {
        let (mut waited, mut slept) = (Duration::ZERO, Duration::ZERO);
        loop {
            let id = getppid().as_raw();
            let parent = Self { id, group: Group::beside(id), name: name(id) };
            let is_leaving = LEAVING.iter().any(|name| parent.is_named(name));
            if getppid().as_raw() == id && !(is_leaving && waited < LEAVES && slept < SLEEPS) {
                return parent;
            }
            if is_asleep(id) {
                slept += BETWEEN_LOOKS;
            }
            waited += BETWEEN_LOOKS;
            thread::sleep(BETWEEN_LOOKS);
        }
    }

    pub(super) fn is_named(&self, name: &str) -> bool {
        self.name.as_deref() == Some(kept_of(name))
    }

    /// Whether it may have one of these names: it has one of them, or its name is unknown.
    pub(super) fn may_be_named(&self, names: &[&str]) -> bool {
        self.name.is_none() || names.iter().any(|name| self.is_named(name))
    }
}

/// Linux keeps the first 15 bytes of a name, proc(5).
pub(super) fn kept_of(name: &str) -> &str {
    name.get(..15).unwrap_or(name)
}

impl Group {
    fn beside(parent: pid_t) -> Self {
        let group = getpgid(None);
        match getpgid(Some(Pid::from_raw(parent))) {
            _ if group == Ok(getpid()) => Self::Own,
            Ok(parents) if group == Ok(parents) => Self::Shared,
            _ => Self::Another,
        }
    }
}

/// The name of its program file, unless it renamed itself.
fn name(id: pid_t) -> Option<String> {
    if !proc::is_of_this_namespace() {
        return None;
    }
    let name = fs::read_to_string(format!("/proc/{id}/comm")).ok()?;
    Some(name.trim_end_matches('\n').to_owned())
}

/// Also true if nothing shows that it runs.
fn is_asleep(id: pid_t) -> bool {
    !Stat::of(id).is_ok_and(|stat| stat.field(3) == Some("R"))
}
