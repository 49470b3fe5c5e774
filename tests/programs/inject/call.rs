//! The system call in whose entry or exit a traced process is stopped.

use std::{fs::File, os::unix::fs::FileExt};

use nix::{
    libc::{self, c_ulonglong, user_regs_struct},
    sys::ptrace,
    unistd::Pid,
};
use support::Mark;
use syscalls::Sysno;

#[derive(Debug)]
pub(crate) struct Call {
    process: Pid,
    registers: user_regs_struct,
}

impl Call {
    pub(crate) fn of(process: Pid) -> nix::Result<Self> {
        Ok(Self { process, registers: ptrace::getregs(process)? })
    }

    fn sysno(&self) -> Option<Sysno> {
        Sysno::new(usize::try_from(self.registers.orig_rax).unwrap_or(usize::MAX))
    }

    /// Of fcntl(2), which is many calls, with the command. The older calls that musl makes have the names of those that
    /// glibc makes in their place.
    pub(crate) fn name(&self) -> &'static str {
        match self.sysno() {
            Some(Sysno::fork) => "clone",
            Some(Sysno::open) => "openat",
            Some(Sysno::fstat | Sysno::lstat | Sysno::stat) => "newfstatat",
            Some(Sysno::fcntl) => match low_half(self.registers.rsi) {
                libc::F_GETFD => "fcntl(F_GETFD)",
                libc::F_SETFD => "fcntl(F_SETFD)",
                libc::F_GETFL => "fcntl(F_GETFL)",
                libc::F_SETFL => "fcntl(F_SETFL)",
                libc::F_DUPFD_CLOEXEC => "fcntl(F_DUPFD_CLOEXEC)",
                libc::F_GETLK => "fcntl(F_GETLK)",
                libc::F_SETLK => "fcntl(F_SETLK)",
                _ => "fcntl",
            },
            Some(call) => call.name(),
            None => "unknown",
        }
    }

    pub(crate) fn mark(&self) -> Option<Mark> {
        (self.name() == "close").then(|| Mark::of(low_half(self.registers.rdi)))?
    }

    /// What it is called on: a path, or the number that is the first argument.
    pub(crate) fn object(&self) -> String {
        let path = match self.sysno() {
            Some(
                Sysno::chdir
                | Sysno::chroot
                | Sysno::unlink
                | Sysno::readlink
                | Sysno::access
                | Sysno::open
                | Sysno::stat
                | Sysno::lstat,
            ) => Some(self.registers.rdi),
            Some(Sysno::openat | Sysno::openat2 | Sysno::newfstatat | Sysno::statx | Sysno::faccessat2) => {
                Some(self.registers.rsi)
            }
            _ => None,
        };
        let is_called_on_nothing =
            self.name().starts_with("get") || ["setsid", "exit_group", "munmap"].contains(&self.name());
        if is_called_on_nothing {
            return String::new();
        }
        let path = path.and_then(|address| self.text(address)).filter(|path| !path.is_empty());
        path.unwrap_or_else(|| match low_half(self.registers.rdi) {
            small @ -1024..1024 => small.to_string(),
            _ => String::new(),
        })
    }

    fn text(&self, address: c_ulonglong) -> Option<String> {
        let mut bytes = [0; 256];
        let length = File::open(format!("/proc/{}/mem", self.process)).ok()?.read_at(&mut bytes, address).ok()?;
        let text = bytes[..length].split(|&byte| byte == 0).next()?;
        Some(String::from_utf8_lossy(text).into_owned())
    }

    /// On entry: the kernel finds no such call, and does nothing.
    pub(crate) fn prevent(mut self) -> nix::Result<()> {
        self.registers.orig_rax = c_ulonglong::MAX;
        ptrace::setregs(self.process, self.registers)
    }

    /// On entry: to read or write one byte; and what to give back on exit, since the program expects its register
    /// unchanged.
    pub(crate) fn shorten(mut self) -> nix::Result<Option<c_ulonglong>> {
        let length = self.registers.rdx;
        let is_transfer =
            ["read", "write", "pread64", "pwrite64", "sendto", "recvfrom", "getdents64"].contains(&self.name());
        if !is_transfer || length <= 1 {
            return Ok(None);
        }
        self.registers.rdx = 1;
        ptrace::setregs(self.process, self.registers)?;
        Ok(Some(length))
    }

    /// On exit.
    pub(crate) fn give_back_length(mut self, length: c_ulonglong) -> nix::Result<()> {
        self.registers.rdx = length;
        ptrace::setregs(self.process, self.registers)
    }

    /// On exit.
    pub(crate) fn fail(mut self, errno: i32) -> nix::Result<()> {
        self.registers.rax = i64::from(-errno).cast_unsigned();
        ptrace::setregs(self.process, self.registers)
    }
}

/// An int in a register.
fn low_half(register: c_ulonglong) -> libc::c_int {
    #[allow(clippy::cast_possible_truncation, reason = "the other half is not part of it")]
    let half = register as u32;
    half.cast_signed()
}
