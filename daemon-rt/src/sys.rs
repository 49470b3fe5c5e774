//! The only place with `unsafe`: system calls that nix has no safe wrapper for, each small enough to judge at a glance.
#![allow(unsafe_code)]

#[cfg(any(target_os = "linux", target_os = "android"))]
mod capabilities;
mod descriptors;
mod environment;
#[cfg(target_vendor = "apple")]
mod groups;
mod hangup;
#[cfg_attr(not(any(target_os = "linux", target_os = "android")), path = "sys/pidfd_elsewhere.rs")]
mod pidfd;
mod process;
mod signals;
mod sockets;
mod wiped_on_fork;

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) use self::capabilities::{capabilities, clear_capabilities};
#[cfg(target_vendor = "apple")]
pub(crate) use self::groups::{getgrouplist, getgroups, setgroups};
pub(crate) use self::{
    descriptors::{
        STANDARD_STREAMS, are_the_same, closes_on_exec, duplicate_onto, identity_of, is_terminal, kind_of, lock,
        set_close_on_exec, status_of, take, write_at_once,
    },
    environment::{retain_variables, set_variable},
    hangup::on_hangup,
    pidfd::{pidfd_open, pidfd_send_signal},
    process::{at_exit, exit_now, flush_c_streams, fork, kill, look_at, reap},
    signals::{
        change_mask, default_action, has_default, ignore, ignored_signals, let_interrupt, set_default, stop_ignoring,
        uninterrupted,
    },
    sockets::{connect, send, socket_family},
    wiped_on_fork::wiped_on_fork,
};
