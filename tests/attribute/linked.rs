//! What is in the binary of a program: the code of an option that is much of it only where the option is set.

use std::process::Command;

use support::{needs_tools, skip};

use crate::{EARLY, PROBE};

const SETS_ALL_OF_THEM: &str = PROBE;
const SETS_NO_OPTION: &str = EARLY;

#[test]
fn only_who_sets_user_or_group_can_change_ids() {
    for function in [
        "privileges::account::Account::look_up",
        "privileges::change::become_for_good",
        "privileges::apart::run",
        "sys::keyring::",
    ] {
        is_in_the_first_alone(function);
    }
}

#[test]
fn only_who_sets_reopen_logs_can_reopen_them() {
    for function in
        ["ReopenLogs as daemon_rt::start::streams::reopening::Reopening>::prepare", "logs::log::Log::reopen"]
    {
        is_in_the_first_alone(function);
    }
}

#[test]
fn only_who_rotates_logs_can() {
    for function in
        ["start::streams::rotating::", "logs::rotator::", "try_to_rotate", "become_like", "logs::numbered::"]
    {
        is_in_the_first_alone(function);
    }
}

#[test]
fn only_who_gives_a_stream_by_its_path_can_open_files() {
    for function in ["start::streams::by_path::opened", "start::streams::file::open", "logs::open_log::for_appending"] {
        is_in_the_first_alone(function);
    }
}

#[test]
fn only_who_sets_chroot_can_change_the_root_directory() {
    for function in ["start::root::change_root", "start::root::check_directory_inside"] {
        is_in_the_first_alone(function);
    }
}

#[test]
fn only_who_sets_keep_env_can_clean_the_environment() {
    for function in ["start::check::keep_env", "sys::environ::retain_variables", "sys::environ::wipe"] {
        is_in_the_first_alone(function);
    }
}

#[test]
fn only_who_obeys_a_command_line_has_its_words() {
    is_in_the_first_alone("daemon_rt::obey::obey");
}

#[test]
fn only_who_waits_for_a_request_to_stop_can_be_asked() {
    for function in ["daemon_rt::stop_requested::request", "daemon_rt::stop_requested::watcher", "StopTimer"] {
        is_in_the_first_alone(function);
    }
}

#[test]
fn only_who_sets_respawn_has_a_supervisor() {
    for function in [
        "start::supervisor::supervise::Supervisor",
        "supervisor::backoff",
        "supervisor::launch",
        "supervisor::handover",
        "CaughtSignals",
        "reopening::open_anew",
    ] {
        is_in_the_first_alone(function);
    }
}

fn is_in_the_first_alone(function: &str) {
    needs_tools!("nm");
    let functions = [SETS_ALL_OF_THEM, SETS_NO_OPTION].map(functions);
    if functions[1].contains("__llvm_profile_runtime") {
        return skip("a build without the counters of coverage, which lead to all functions");
    }
    assert_eq!(functions.map(|functions| functions.contains(function)), [true, false], "{function}");
}

fn functions(program: &str) -> String {
    let output = Command::new("nm").args(["--demangle", program]).output().expect("nm runs");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
