//! The only place with `unsafe`: system calls that nix has no safe wrapper for, each small enough to judge at a glance.
#![allow(unsafe_code)]

#[cfg(any(target_os = "linux", target_os = "android"))]
mod capabilities;
mod database;
mod descriptors;
mod environment;
mod exec;
#[cfg(target_vendor = "apple")]
mod groups;
mod hangup;
#[cfg(target_os = "linux")]
mod keyring;
mod passing;
#[cfg_attr(not(any(target_os = "linux", target_os = "android")), path = "elsewhere/pidfd.rs")]
mod pidfd;
mod process;
mod record_lock;
mod signals;
mod sockets;
mod wiped_on_fork;

#[cfg(target_vendor = "apple")]
pub(crate) use self::groups::{getgrouplist, getgroups, setgroups};
#[cfg(target_os = "linux")]
pub(crate) use self::keyring::join_new_session_keyring;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) use self::{
    capabilities::{Capabilities, capabilities, set_capabilities},
    process::is_single_threaded_to_libc,
};
pub(crate) use self::{
    database::{User, group, group_named, user, user_named},
    descriptors::{
        STANDARD_STREAMS, are_the_same, closes_on_exec, duplicate_onto, identity_of, is_terminal, is_writable, kind_of,
        lock, set_close_on_exec, status_of, take, write_at_once,
    },
    environment::{retain_variables, set_variable, wipe_removed_variables},
    exec::exec_gave_privileges,
    hangup::on_hangup,
    passing::{receive_with_file, send_with_file},
    pidfd::{pidfd_open, pidfd_send_signal},
    process::{at_exit, exit_now, flush_c_streams, fork, kill, look_at, reap},
    record_lock::{lock_record, record_locker},
    signals::{
        change_mask, default_action, has_default, ignore, ignored_signals, let_interrupt, set_default, stop_ignoring,
        uninterrupted,
    },
    sockets::{connect, send, socket_family},
    wiped_on_fork::wiped_on_fork,
};
