//! The session keyring of whoever launched the program, keyrings(7): its keys can be tickets of Kerberos.

use std::{
    fs,
    process::{Command, Stdio},
};

use support::{Stage, eventually, needs_root, skip};

use crate::{ARRANGE, PROBE, preload};

const NO_KEY: &str = "error: ENOKEY: Required key not available";

/// Nobody else's, so that a test may use up its keys.
const USER: &str = "54321";

/// A launcher whose session keyring has a key.
fn probe(stage: &Stage, options: &[&str]) -> Command {
    let mut command = stage.command(ARRANGE);
    command.args(["--key", "ticket", "--", PROBE, "--connect"]).args(options);
    command
}

/// What the daemon finds under the key's name.
fn key(stage: &Stage, command: &mut Command) -> String {
    let _launcher = stage.start(command);
    stage.daemon().ask("key ticket")
}

fn has_keys() -> bool {
    let has_keys = fs::exists("/proc/keys").unwrap_or_default();
    if !has_keys {
        skip("a kernel with keys");
    }
    has_keys
}

#[test]
fn another_user_has_none_of_the_launchers_keys() {
    needs_root!();
    if !has_keys() {
        return;
    }
    let stage = Stage::new();
    for foreground in [[].as_slice(), &["--foreground"]] {
        for user in [["--user", "nobody"].as_slice(), &["--user-number", USER, "--group-number", USER]] {
            assert_eq!(key(&stage, &mut probe(&stage, &[user, foreground].concat())), NO_KEY);
        }
        for same in [[].as_slice(), &["--user", "root"], &["--group", "adm"]] {
            assert_eq!(key(&stage, &mut probe(&stage, &[same, foreground].concat())), "words", "{same:?}");
        }
    }
}

/// As a program with the set-user-ID bit is started.
#[test]
fn root_has_none_of_an_ordinary_callers() {
    needs_root!();
    if !has_keys() {
        return;
    }
    let stage = Stage::new();
    let mut command = stage.command(ARRANGE);
    command.args(["--key", "ticket", "--", "setpriv", "--ruid", "nobody", PROBE, "--connect", "--user", "root"]);
    assert_eq!(key(&stage, &mut command), NO_KEY);
}

/// The supervisor has the user's id by then.
#[test]
fn nor_has_a_daemon_that_was_started_again() {
    needs_root!();
    if !has_keys() {
        return;
    }
    let stage = Stage::new();
    let mut command = stage.command(ARRANGE);
    command.args(["--key", "ticket", "--", "setpriv", "--ruid", "nobody", PROBE, "--user", "root"]);
    let mut daemon = stage.started(command.args(["--respawn", "always,10,60000,1,1"]));
    daemon.send("crash");
    assert_eq!(stage.daemon().ask("key ticket"), NO_KEY);
}

#[test]
fn a_user_with_as_many_keys_as_they_may_have() {
    needs_root!();
    if !has_keys() {
        return;
    }
    let stage = Stage::new();
    stage.open_to_all();
    let mut fill = stage.command("setpriv");
    fill.args(["--reuid", USER, "--regid", USER, "--clear-groups"]).arg(stage.copy(ARRANGE));
    fill.args(["--fill-keys", "--", "cat"]).stdin(Stdio::piped());
    let mut holder = fill.spawn().expect("start");
    eventually("many keys", || {
        (fs::read_to_string(format!("/proc/{}/comm", holder.id())).ok()? == "cat\n").then_some(())
    });
    let found = key(&stage, &mut probe(&stage, &["--user-number", USER, "--group-number", USER]));
    drop(holder.stdin.take());
    holder.wait().expect("its end");
    assert_eq!(found, NO_KEY);
}

/// Where there are no keys, and where a container's filter forbids these, there is nothing to leave.
#[test]
fn whether_the_keyring_can_be_left() {
    needs_root!();
    let stage = Stage::new();
    for (error, is_refused) in [("ENOSYS", false), ("EPERM", false), ("EDQUOT", true), ("ENOMEM", true)] {
        let Some(library) = preload::library(&format!("KEYCTL_FAILS={error}")) else { return };
        let mut command = stage.command(PROBE);
        command.args(["--user", "nobody"]).env("LD_PRELOAD", library);
        if is_refused {
            let number = if error == "EDQUOT" {
                "Disk quota exceeded (os error 122)"
            } else {
                "Cannot allocate memory (os error 12)"
            };
            stage.refuses(&mut command, &format!("probe: cannot leave the session keyring: {number}"));
        } else {
            drop(stage.started(command.arg("--connect")));
        }
    }
}
