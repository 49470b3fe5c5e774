//! The only module with `unsafe`: system calls for which nix has no safe wrapper. Each is small enough to judge at a
//! glance.
#![allow(unsafe_code)]

#[cfg(any(target_os = "linux", target_os = "android"))]
mod capabilities;
mod caught_signals;
mod environ;
mod exec;
mod fd;
#[cfg_attr(target_vendor = "apple", path = "sys/groups_apple.rs")]
mod groups;
mod hangup;
mod held_file;
mod inherited_fd;
#[cfg(target_os = "linux")]
mod keyring;
mod leaked;
mod own_fd;
mod passing;
mod passwd;
#[cfg_attr(not(any(target_os = "linux", target_os = "android")), path = "elsewhere/pidfd.rs")]
mod pidfd;
mod pinned_file;
mod previous_handler;
mod process;
mod record_lock;
mod rename;
mod signals;
mod sockets;
mod statx;
#[cfg_attr(any(target_vendor = "apple", target_os = "openbsd"), path = "elsewhere/stop_timer.rs")]
mod stop_timer;
mod termination;
mod this_process;
mod utc;
mod wiped_on_fork;

#[cfg(target_os = "linux")]
pub(crate) use self::keyring::join_new_session_keyring;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) use self::{
    capabilities::{Capabilities, capabilities, set_capabilities},
    process::is_single_threaded_to_libc,
};
pub(crate) use self::{
    caught_signals::CaughtSignals,
    environ::{retain_variables, set_variable, wipe_removed_variables},
    exec::{exec_gave_privileges, executed_path},
    fd::{
        FileId, STANDARD_STREAMS, StandardStream, are_the_same, close_all_but, closes_on_exec, duplicate_above,
        file_id, is_terminal, is_writable, kind_of, lock, place, redirect, reopen_as, set_close_on_exec, status_of,
        write_at_once,
    },
    groups::{getgrouplist, getgroups, setgroups},
    hangup::{on_hangup, outlive_hangup},
    held_file::HeldFile,
    inherited_fd::InheritedFd,
    leaked::Leaked,
    own_fd::OwnFd,
    passing::{receive_with_file, send_with_file},
    passwd::{User, group, group_named, user, user_named},
    pidfd::{pidfd_open, pidfd_send_signal},
    pinned_file::PinnedFile,
    process::{at_exit, exit_now, flush_c_streams, fork, is_thread, kill, look_at, reap, thread_id, wait_for},
    record_lock::{Record, lock_record, record_locker},
    rename::rename_to_unused,
    signals::{
        Action, INTERRUPTING, change_mask, default_action, has_default, ignore, ignored_signals, let_interrupt,
        stop_ignoring, uninterrupted,
    },
    sockets::{connect, is_bound_socket, peer_process, send, send_at_once, shut_down, socket_family},
    statx::{cached_file_id, is_append_only, is_kept_from_renames},
    stop_timer::StopTimer,
    termination::{
        Instead, handle_termination, handle_termination_of_process_1, hold_back_termination, leave_termination_alone,
        on_termination, remove_held_file,
    },
    this_process::ThisProcess,
    utc::utc,
    wiped_on_fork::wiped_on_fork,
};
