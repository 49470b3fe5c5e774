//! What /proc shows of processes, proc(5). Without it, nothing is known of them.

#[cfg(test)]
mod tests;

use std::{fs, io, path::Path, process};

use nix::libc::pid_t;

/// The line in /proc/PID/stat, of a process or of a thread, `proc_pid_stat(5)`.
pub(crate) struct Stat(String);

impl Stat {
    pub(crate) fn of(process: pid_t) -> io::Result<Self> {
        Self::at(Path::new(&format!("/proc/{process}")))
    }

    /// From the directory of a process or a thread.
    pub(crate) fn at(directory: &Path) -> io::Result<Self> {
        // The kernel cuts a name after 15 bytes, even in the middle of a character.
        fs::read(directory.join("stat")).map(|stat| Self(String::from_utf8_lossy(&stat).into_owned()))
    }

    /// The program chooses it, and it may contain parentheses and spaces.
    pub(crate) fn name(&self) -> Option<&str> {
        let (_, name) = self.0.rsplit_once(')')?.0.split_once('(')?;
        Some(name)
    }

    /// A field after the name, by its number in the manual page.
    pub(crate) fn field(&self, number: usize) -> Option<&str> {
        let (_, fields) = self.0.rsplit_once(')')?;
        fields.split_ascii_whitespace().nth(number.checked_sub(3)?)
    }

    pub(crate) fn number(&self, field: usize) -> Option<u64> {
        self.field(field)?.parse().ok()
    }
}

/// In the /proc of another pid namespace, a number means another process.
pub(crate) fn is_of_this_namespace() -> bool {
    fs::read_link("/proc/self").is_ok_and(|own| own.to_str() == Some(&process::id().to_string()))
}
