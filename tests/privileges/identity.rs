//! Who the daemon is: `user`, `group` and `no_new_privs`, looked at from outside.

use std::{
    ffi::OsString,
    fs::{self, Permissions},
    io::Write,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
    process::{Command, Stdio},
};

use nix::unistd::{Group, User, getuid};
use support::{Daemon, Launch, Process, Stage, eventually, needs_ordinary_user, needs_root, needs_tools, skip};

use crate::{ARRANGE, DAEMONIZE, PROBE, preload};

const NO_CAPABILITIES: [&str; 4] = ["0000000000000000"; 4];

fn probe(stage: &Stage) -> Command {
    stage.command(PROBE)
}

/// A launcher with groups of root's.
fn with_groups(stage: &Stage) -> Command {
    let mut command = stage.command(ARRANGE);
    command.args(["--groups", "0,4,27", "--", PROBE]);
    command
}

/// The daemon of a start that succeeded. It cannot reach the test's socket itself: `setup` connects.
fn started(stage: &Stage, command: &mut Command) -> Daemon {
    stage.started(command.arg("--connect"))
}

fn refused(stage: &Stage, command: &mut Command, line: &str) {
    stage.refuses(command.args(["--stdout", "log", "--pidfile", "pid"]), &format!("probe: {line}"));
}

/// As [`refused`], but for the files that it leaves behind.
fn not_started(stage: &Stage, command: &mut Command, line: &str) {
    let Launch { status, stderr, .. } = stage.launch(command.args(["--stdout", "log", "--pidfile", "pid"]));
    assert_eq!((status, stderr), (1, format!("probe: {line}\n")));
    assert!(stage.no_daemon_reported(), "main ran");
    assert_eq!(stage.processes(), [], "left behind");
}

/// The same numbers as real, effective, saved and file system id.
fn ids(process: Process) -> (u32, u32) {
    let [user, group] = ["Uid", "Gid"].map(|key| {
        let line = process.status(key).expect("a process");
        let numbers: Vec<u32> = line.split_whitespace().map(|number| number.parse().expect("a number")).collect();
        assert_eq!(numbers, [numbers[0]; 4], "{key}");
        numbers[0]
    });
    (user, group)
}

fn groups(process: Process) -> Vec<u32> {
    let line = process.status("Groups").expect("a process");
    line.split_whitespace().map(|number| number.parse().expect("a number")).collect()
}

fn capabilities(process: Process) -> [String; 4] {
    ["CapInh", "CapPrm", "CapEff", "CapAmb"].map(|key| process.status(key).expect("a process"))
}

fn nobody() -> User {
    User::from_name("nobody").expect("a database").expect("nobody")
}

#[test]
fn it_is_the_user_and_nothing_more() {
    needs_root!();
    let User { uid, gid, .. } = nobody();
    let (uid, gid) = (uid.as_raw(), gid.as_raw());
    for value in [["--user", "nobody"], ["--user", &uid.to_string()], ["--user-number", &uid.to_string()]] {
        let stage = Stage::new();
        let mut daemon = started(&stage, with_groups(&stage).args(value));
        assert_eq!(ids(daemon.process), (uid, gid));
        assert_eq!(groups(daemon.process), [gid]);
        assert_eq!(capabilities(daemon.process), NO_CAPABILITIES);
        assert_eq!(daemon.ask("become-root"), "error: EPERM: Operation not permitted");
    }
}

#[test]
fn it_is_so_in_the_foreground() {
    needs_root!();
    let User { uid, gid, .. } = nobody();
    let stage = Stage::new();
    let mut command = with_groups(&stage);
    let launcher = stage.start(command.args(["--foreground", "--user", "nobody", "--no-new-privs", "--connect"]));
    let daemon = stage.daemon();
    assert_eq!(daemon.process, launcher.process);
    assert_eq!(ids(daemon.process), (uid.as_raw(), gid.as_raw()));
    assert_eq!(groups(daemon.process), [gid.as_raw()]);
    assert_eq!(capabilities(daemon.process), NO_CAPABILITIES);
    assert_eq!(daemon.process.status("NoNewPrivs").as_deref(), Some("1"));
}

#[test]
fn nothing_changes_without_the_options() {
    needs_root!();
    let stage = Stage::new();
    let daemon = started(&stage, &mut with_groups(&stage));
    assert_eq!(ids(daemon.process), (0, 0));
    assert_eq!(groups(daemon.process), [0, 4, 27]);
    assert_eq!(daemon.process.status("NoNewPrivs").as_deref(), Some("0"));
}

#[test]
fn user_and_group_alone_or_both() {
    needs_root!();
    let User { uid, gid, .. } = nobody();
    let (uid, gid) = (uid.as_raw(), gid.as_raw());
    let adm = Group::from_name("adm").expect("a database").expect("adm").gid.as_raw();
    for (options, expected) in [
        (["--group", "adm"].as_slice(), (0, adm)),
        (&["--group-number", "54321"], (0, 54321)),
        (&["--user", "nobody", "--group", "adm"], (uid, adm)),
        (&["--user-number", "54321", "--group-number", "54322"], (54321, 54322)),
        (&["--user", "54321", "--group", "54322"], (54321, 54322)),
        (&["--user-number", &uid.to_string()], (uid, gid)),
        (&["--user", "root"], (0, 0)),
    ] {
        let stage = Stage::new();
        let daemon = started(&stage, with_groups(&stage).args(options));
        assert_eq!(ids(daemon.process), expected, "{options:?}");
        assert_eq!(groups(daemon.process), [expected.1], "{options:?}");
    }
}

/// As in an image that contains only the program: the launcher sees an empty /etc.
#[test]
fn without_a_user_database_numbers_will_do() {
    needs_root!();
    let stage = Stage::new();
    let behind = || stage.command_behind("mount -t tmpfs tmpfs /etc", PROBE);
    for (options, line) in [
        (["--user", "nobody"].as_slice(), "`user` is unknown: there is no user nobody"),
        (&["--user-number", "65534", "--group", "nogroup"], "`group` is unknown: there is no group nogroup"),
        (
            &["--user", "65534"],
            "`user` is 65534, a number without an entry in the user database: `group` is needed as well",
        ),
    ] {
        refused(&stage, behind().args(options), line);
    }
    let daemon = started(&stage, behind().args(["--user", "65534", "--group", "65533"]));
    assert_eq!(ids(daemon.process), (65534, 65533));
    assert_eq!(daemon.process.status("Groups").as_deref(), Some("65533"));
}

/// What getpwnam(3) and id(1) know of the machine, they know whatever the length of a line is.
#[test]
fn a_group_with_a_line_of_megabytes_stops_nobody() {
    needs_root!();
    let stage = Stage::new();
    let members = "somebody,".repeat(400_000);
    let huge = |name: &str, number: u32| format!("{name}:x:{number}:{members}nobody\n");
    let database = fs::read_to_string("/etc/group").expect("the group database");
    let others: Vec<_> = database.lines().filter(|line| !line.starts_with("nogroup:")).collect();
    let own_is_huge = format!("{}\n{}", others.join("\n"), huge("nogroup", 65534));
    for (database, expected) in [(huge("crowd", 6000) + &database, vec![6000, 65534]), (own_is_huge, vec![65534])] {
        fs::write(stage.path("group"), database).expect("write");
        for options in [["--user", "nobody"].as_slice(), &["--user", "nobody", "--group", "nogroup"]] {
            let mut command = stage.command_behind("mount --bind group /etc/group", PROBE);
            let mut daemon = started(&stage, command.args(options));
            assert_eq!(groups(daemon.process), expected);
            daemon.send("exit 0");
            daemon.wait();
        }
    }
}

/// A name is bytes, to the database as to the environment.
#[test]
fn a_name_that_is_not_utf_8_keeps_its_groups_and_itself() {
    needs_root!();
    let stage = Stage::new();
    let append = |file: &str, line: &[u8]| {
        let database = fs::read(Path::new("/etc").join(file)).expect("a database");
        fs::write(stage.path(file), [&database, line].concat()).expect("write");
    };
    append("passwd", b"j\xf6rg:x:6001:6001::/home/j\xf6rg:/bin/sh\n");
    append("group", b"\xfcser:x:6002:j\xf6rg\n");
    let script = "mount --bind group /etc/group && mount --bind passwd /etc/passwd";
    let mut daemon = started(&stage, stage.command_behind(script, PROBE).args(["--user", "6001"]));
    assert_eq!((ids(daemon.process), groups(daemon.process)), ((6001, 6001), vec![6001, 6002]));
    stage.open_to_all();
    let file = stage.create("variables");
    fs::set_permissions(stage.path("variables"), Permissions::from_mode(0o666)).expect("a mode");
    daemon.ask(&format!("shell env --null >{}", stage.path("variables").display()));
    eventually("the variables", || (file.metadata().expect("the file").len() > 0).then_some(()));
    let variables = fs::read(stage.path("variables")).expect("read");
    for variable in [b"USER=j\xf6rg".as_slice(), b"LOGNAME=j\xf6rg", b"HOME=/home/j\xf6rg"] {
        let is_there = variables.split(|&byte| byte == 0).any(|found| found == variable);
        assert!(is_there, "{} in {}", variable.escape_ascii(), variables.escape_ascii());
    }
}

#[test]
fn supplementary_groups_are_those_of_the_group_database() {
    needs_root!();
    let stage = Stage::new();
    let many: Vec<_> = (6000..6100).map(|number| format!("g{number}:x:{number}:daemon,nobody\n")).collect();
    let database = fs::read_to_string("/etc/group").expect("the group database");
    fs::write(stage.path("group"), format!("{database}others:x:5000:daemon\n{}", many.concat())).expect("write");
    let bind_and_run = "mount --bind group /etc/group && exec \"$@\"";
    let namespace = ["--mount", "--propagation", "private", "sh", "-c", bind_and_run, "sh", PROBE, "--connect"];
    let launch = stage.launch(stage.command("unshare").args(namespace).args(["--user", "nobody"]));
    assert_eq!((launch.status, launch.stderr.as_str()), (0, ""));
    let daemon = stage.daemon();
    let mut expected: Vec<u32> = (6000..6100).chain([nobody().gid.as_raw()]).collect();
    expected.sort_unstable();
    assert_eq!(groups(daemon.process), expected);
}

#[test]
fn values_that_are_nobody() {
    for (options, line) in [
        (["--user", "no-such-user"].as_slice(), "`user` is unknown: there is no user no-such-user"),
        (&["--group", "no-such-group"], "`group` is unknown: there is no group no-such-group"),
        (&["--user", ""], "`user` is empty"),
        (&["--group", ""], "`group` is empty"),
        (&["--user", "root\\0x"], "`user` contains a NUL byte"),
        (&["--group", "root\\0x"], "`group` contains a NUL byte"),
        (
            &["--user-number", "54321"],
            "`user` is 54321, a number without an entry in the user database: `group` is needed as well",
        ),
        (&["--user-number", "4294967295"], "`user` must be less than 4294967295, found 4294967295"),
        (&["--group", "99999999999"], "`group` must be less than 4294967295, found 99999999999"),
        (&["--user", "-1"], "`user` is unknown: there is no user -1"),
    ] {
        let stage = Stage::new();
        refused(&stage, probe(&stage).args(options), line);
        refused(&stage, probe(&stage).args(options).arg("--foreground"), line);
    }
}

#[test]
fn who_is_that_user_already_needs_no_privilege() {
    let own = User::from_uid(getuid()).expect("a database").expect("an entry");
    let stage = Stage::new();
    for options in [["--user", &own.name].as_slice(), &["--user-number", &own.uid.to_string()]] {
        let daemon = started(&stage, probe(&stage).args(options));
        assert_eq!(ids(daemon.process), (own.uid.as_raw(), own.gid.as_raw()));
    }
}

/// As a program with the set-user-ID bit is started.
#[test]
fn who_is_that_user_in_effect_alone_becomes_it() {
    needs_root!();
    needs_tools!("setpriv");
    let stage = Stage::new();
    let mut command = stage.command("setpriv");
    let daemon = started(&stage, command.args(["--ruid", "nobody", "--", PROBE, "--user", "root"]));
    assert_eq!(ids(daemon.process), (0, 0));
}

/// As systemd starts a program with `User=` and `AmbientCapabilities=`.
#[test]
fn who_is_that_user_already_keeps_its_capabilities() {
    needs_root!();
    needs_tools!("setpriv");
    let stage = Stage::new();
    stage.open_to_all();
    let mut command = stage.command("setpriv");
    command.args(["--reuid", "nobody", "--regid", "nogroup", "--init-groups"]);
    command.args(["--inh-caps", "+net_raw", "--ambient-caps", "+net_raw"]).arg(stage.copy(PROBE));
    let daemon = started(&stage, command.args(["--user", "nobody"]));
    assert_eq!(capabilities(daemon.process), ["0000000000002000"; 4]);
}

#[test]
fn only_root_becomes_another() {
    needs_ordinary_user!();
    for (options, step) in [
        (["--user", "root"], "become user root"),
        (["--user", "daemon"], "become user daemon"),
        (["--group", "adm"], "become group adm"),
        (["--chroot", "/"], "change the root directory to /"),
    ] {
        let stage = Stage::new();
        let line = format!("cannot {step}: only root can");
        refused(&stage, probe(&stage).args(options), &line);
        refused(&stage, probe(&stage).args(options).arg("--foreground"), &line);
    }
}

#[test]
fn capabilities_are_given_up_even_if_they_were_ambient() {
    needs_root!();
    needs_tools!("setpriv");
    let stage = Stage::new();
    let ambient = |options: &[&str]| {
        let mut command = stage.command("setpriv");
        command.args(["--inh-caps", "+net_raw,+chown", "--ambient-caps", "+net_raw,+chown", PROBE]).args(options);
        started(&stage, &mut command)
    };
    let before = capabilities(ambient(&[]).process);
    assert_eq!([before[0].as_str(), before[3].as_str()], ["0000000000002001"; 2]);
    assert_eq!(capabilities(ambient(&["--user", "nobody"]).process), NO_CAPABILITIES);
}

/// The id changes from one ordinary user to another, which leaves all capabilities in place.
#[test]
fn capabilities_suffice_and_are_given_up() {
    needs_root!();
    let stage = Stage::new();
    // That user has to reach the program, wherever it was built.
    let program = stage.copy(PROBE);
    stage.open_to_all();
    let capable = ["--inh-caps", "+setuid,+setgid", "--ambient-caps", "+setuid,+setgid"];
    let mut command = stage.command("setpriv");
    command.args(["--reuid", "1", "--regid", "1", "--clear-groups"]).args(capable).arg(program);
    let daemon = started(&stage, command.args(["--user", "nobody"]));
    assert_eq!(ids(daemon.process).0, nobody().uid.as_raw());
    assert_eq!(capabilities(daemon.process), NO_CAPABILITIES);
}

#[test]
fn a_process_that_dropped_root_dumps_no_core() {
    needs_root!();
    let stage = Stage::new();
    let owner = |options: &[&str]| {
        let daemon = started(&stage, probe(&stage).args(options));
        fs::metadata(format!("/proc/{}/environ", daemon.process.0)).expect("a process").uid()
    };
    let user = nobody().uid.to_string();
    assert_eq!(owner(&["--user", &user]), 0, "proc(5): root's, where a process is not dumpable");
}

#[test]
fn the_environment_follows_the_user() {
    needs_root!();
    let entry = User::from_name("daemon").expect("a database").expect("daemon");
    let strange = |command: &mut Command| {
        for key in ["HOME", "USER", "LOGNAME", "SHELL"] {
            command.env(key, "/strange");
        }
    };
    let (home, shell) = (entry.dir.display().to_string(), entry.shell.display().to_string());
    let none = "environment variable not found";
    for (options, expected) in [
        (["--user", "daemon"].as_slice(), [home.as_str(), "daemon", "daemon", &shell]),
        (&["--user", "daemon", "--foreground"], [&home, "daemon", "daemon", &shell]),
        (&["--user", "54321", "--group", "54321"], [none; 4]),
        (&["--group", "adm"], ["/strange"; 4]),
        (&[], ["/strange"; 4]),
    ] {
        let stage = Stage::new();
        let mut command = probe(&stage);
        strange(&mut command);
        let _launcher = stage.start(command.args(options).arg("--connect"));
        let mut daemon = stage.daemon();
        let found = ["HOME", "USER", "LOGNAME", "SHELL"].map(|key| daemon.ask(&format!("variable {key}")));
        assert_eq!(found, expected, "{options:?}");
    }
}

#[test]
fn no_new_privs_is_set_where_it_is_asked_for() {
    let stage = Stage::new();
    for (options, expected) in [([].as_slice(), "0"), (&["--no-new-privs"], "1")] {
        let daemon = started(&stage, probe(&stage).args(options));
        let before = Process::own().status("NoNewPrivs").expect("a process");
        let expected = if before == "1" { "1" } else { expected };
        assert_eq!(daemon.process.status("NoNewPrivs").as_deref(), Some(expected));
    }
}

#[test]
fn a_second_thread_would_keep_its_privileges() {
    let own = User::from_uid(getuid()).expect("a database").expect("an entry").name;
    let line = "cannot give up privileges: 1 other thread would keep them (second); \
                start threads after that: in `main`, or after `start`";
    for options in [["--user", own.as_str()].as_slice(), &["--no-new-privs"]] {
        let stage = Stage::new();
        refused(&stage, probe(&stage).args(options).args(["--thread", "--foreground"]), line);
    }
    let stage = Stage::new();
    let _launcher = stage.start(probe(&stage).args(["--thread", "--foreground"]));
    drop(stage.daemon());
}

#[test]
fn main_has_the_descriptors_that_setup_opened_and_no_others() {
    needs_root!();
    let stage = Stage::new();
    let mut command = stage.command(ARRANGE);
    command.args(["--fd", "7=seven", "--", PROBE, "--user", "nobody", "--open", "kept", "--stdout", "log"]);
    let daemon = started(&stage, &mut command);
    let descriptors = daemon.sight.descriptors();
    let mut names: Vec<_> = descriptors
        .values()
        .map(|target| Path::new(target).file_name().expect("a name").to_string_lossy().into_owned())
        .map(|name| name.split(':').next().unwrap_or_default().to_owned())
        .collect();
    names.sort();
    assert_eq!(names, ["kept", "log", "log", "null", "socket"], "{descriptors:?}");
}

/// Each of these breaks one call, and the start with it; nothing of `main` runs.
#[test]
fn a_step_that_fails_or_lies_ends_the_start() {
    needs_root!();
    let number = nobody().uid;
    let denied = "Operation not permitted (os error 1)";
    let become_nobody = "cannot become user nobody";
    for (lie, line) in [
        ("SETGROUPS_FAILS", format!("cannot set the supplementary groups: {denied}")),
        ("SETGROUPS_LIES", format!("{become_nobody}: the supplementary groups are wrong after the change")),
        ("SETRESGID_FAILS", format!("cannot set the group id to {}: {denied}", nobody().gid)),
        ("SETRESGID_LIES", format!("{become_nobody}: the group id is not {} after the change", nobody().gid)),
        ("SETRESGID_HIDES_ROOT", format!("{become_nobody}: it could get its group 0 back")),
        ("SETRESUID_FAILS", format!("cannot set the user id to {number}: {denied}")),
        ("SETRESUID_LIES", format!("{become_nobody}: the user id is not {number} after the change")),
        ("SETRESUID_SAVES_ROOT", format!("{become_nobody}: a saved id is wrong after the change")),
        ("SETRESUID_HIDES_ROOT", format!("{become_nobody}: it could become root again")),
        ("SETFSUID_TELLS_ROOT", format!("{become_nobody}: the file system ids are wrong after the change")),
        ("CAPSET_FAILS", format!("cannot give up capabilities: {denied}")),
        ("CAPSET_LIES", format!("{become_nobody}: capabilities are left after the change")),
        ("NO_NEW_PRIVS_FAILS", format!("cannot set no_new_privs: {denied}")),
    ] {
        let Some(library) = preload::library(lie) else { return };
        let options = ["--user", "nobody", "--no-new-privs"];
        for foreground in [[].as_slice(), &["--foreground"]] {
            let stage = Stage::new();
            let mut command = stage.command(ARRANGE);
            // The change of ids itself clears all but the inheritable ones.
            command.args(["--groups", "0,4,27", "--", "setpriv", "--inh-caps", "+net_raw", "env"]);
            let mut preload = OsString::from("LD_PRELOAD=");
            preload.push(&library);
            not_started(&stage, command.arg(preload).arg(PROBE).args(options).args(foreground), &line);
            // If the process has changed already, it alone may not remove the file.
            let left: &[&str] = if foreground.is_empty() { &[] } else { &["pid"] };
            assert!(stage.files().iter().all(|file| left.contains(&file.as_str())), "{lie}");
            assert_eq!(stage.read("pid"), "");
        }
    }
}

/// A user namespace in which this user is root, and in which there is no other user.
#[test]
fn in_a_user_namespace_where_the_change_is_denied() {
    needs_ordinary_user!();
    let stage = Stage::new();
    if stage.launch(stage.command("unshare").args(["--map-root-user", "true"])).status != 0 {
        return skip("user namespaces");
    }
    let unshare = || {
        let mut command = stage.command("unshare");
        command.args(["--map-root-user", PROBE]);
        command
    };
    refused(
        &stage,
        unshare().args(["--user", "daemon"]),
        "cannot become user daemon: this user namespace denies setgroups",
    );
    let daemon = started(&stage, unshare().args(["--user", "root"]));
    assert_eq!(ids(daemon.process), (getuid().as_raw(), nix::unistd::getgid().as_raw()), "root inside, nobody outside");
}

/// A user namespace with some ids and without others.
#[test]
fn in_a_user_namespace_with_these_ids() {
    needs_root!();
    let User { uid, gid, .. } = nobody();
    let launch = |stage: &Stage, options: &[&str]| {
        let mut command = stage.command("unshare");
        command.args(["--user", "sh", "-c", "read line; exec \"$@\"", "sh", PROBE]).args(options);
        let mut child = command.stdin(Stdio::piped()).stderr(stage.create("stderr")).spawn().expect("start");
        let own = fs::read_link("/proc/self/ns/user").expect("a namespace");
        eventually("a namespace", || {
            fs::read_link(format!("/proc/{}/ns/user", child.id())).is_ok_and(|other| other != own).then_some(())
        });
        for (map, id) in [("uid_map", uid.as_raw()), ("gid_map", gid.as_raw())] {
            fs::write(format!("/proc/{}/{map}", child.id()), format!("0 0 1\n{id} {id} 1\n")).expect("write a map");
        }
        child.stdin.take().expect("a pipe").write_all(b"go\n").expect("write");
        eventually("the launcher's end", || child.try_wait().expect("wait")).code()
    };
    let stage = Stage::new();
    assert_eq!(launch(&stage, &["--user", "nobody", "--connect"]), Some(0), "{}", stage.read("stderr"));
    let daemon = stage.daemon();
    assert_eq!(ids(daemon.process), (uid.as_raw(), gid.as_raw()));
    assert_eq!(groups(daemon.process), [gid.as_raw()]);
    assert_eq!(capabilities(daemon.process), NO_CAPABILITIES);

    for (options, line) in [
        (["--user", "daemon"], "cannot become user daemon: this user namespace has no user id 1"),
        (["--group", "daemon"], "cannot become group daemon: this user namespace has no group id 1"),
    ] {
        let stage = Stage::new();
        assert_eq!(launch(&stage, &options), Some(1));
        assert_eq!(stage.read("stderr"), format!("probe: {line}\n"));
        assert!(stage.no_daemon_reported());
    }
}

/// The same call by the documentation of the other crate.
#[test]
fn the_crate_daemonize_leaves_the_groups_of_root() {
    needs_root!();
    let User { uid, gid, .. } = nobody();
    let group = Group::from_gid(gid).expect("a database").expect("a group").name;
    let stage = Stage::new();
    let mut command = stage.command(ARRANGE);
    let launch = stage.launch(command.args(["--groups", "0,4,27", "--", DAEMONIZE, "nobody", &group]));
    assert_eq!((launch.status, launch.stderr.as_str()), (0, ""));
    let theirs = eventually("the other daemon", || match stage.processes()[..] {
        [daemon] if ids_if_same(daemon) == Some(uid.as_raw()) => Some(daemon),
        _ => None,
    });
    assert_eq!(groups(theirs), [0, 4, 27]);

    let ours = started(&stage, with_groups(&stage).args(["--user", "nobody", "--group", &group]));
    assert_eq!(ids(ours.process), (uid.as_raw(), gid.as_raw()));
    assert_eq!(groups(ours.process), [gid.as_raw()]);
}

/// The user id of a process that may be in the middle of a change.
fn ids_if_same(process: Process) -> Option<u32> {
    let line = process.status("Uid")?;
    let mut numbers = line.split_whitespace();
    let first = numbers.next()?;
    numbers.all(|number| number == first).then(|| first.parse().ok())?
}
