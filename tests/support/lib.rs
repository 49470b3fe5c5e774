//! Starting programs as a shell, a terminal or a script would, and looking at what became of them from outside.
//!
//! Everything that a [`Stage`] starts carries its mark in the environment, so that whoever is left is found by it, and
//! ended when the stage is torn down, whatever failed.

mod choices;
mod daemon;
mod host;
pub mod http;
mod launcher;
mod libc;
mod machine;
mod mark;
mod privileged;
mod process;
mod skip;
mod stage;
mod syslog;
mod systemd;
mod terminal;
mod verdict;
mod wait;
mod words;

pub use crate::{
    choices::{Choices, number},
    daemon::{Daemon, Sight},
    host::Host,
    launcher::{Launch, Launcher},
    libc::{Libc, is_built_with_glibc, is_dynamic, is_static},
    machine::Machine,
    mark::Mark,
    privileged::NOBODY,
    process::{Process, processes_marked},
    skip::{are_installed, is_ordinary_user, is_root, skip},
    stage::Stage,
    syslog::Syslog,
    systemd::Systemd,
    terminal::Terminal,
    wait::{DEADLINE, eventually, within},
};
