//! What an attacker can do who may write where the daemon's files are, or who is the `user`, while root starts it.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink},
    path::{Path, PathBuf},
    process::Command,
};

use nix::{sys::signal::Signal, unistd::User};
use support::{Daemon, Stage, eventually, needs_root, skip};

use crate::{ARRANGE, PROBE, preload};

mod as_user;
mod keyring;
mod namespaces;
mod open_directories;
mod places;

const SECRET: &str = "root's alone\n";

fn nobody() -> (u32, u32) {
    let entry = User::from_name("nobody").expect("a database").expect("nobody");
    (entry.uid.as_raw(), entry.gid.as_raw())
}

/// A stage that others may enter, with a secret of root's.
fn stage() -> Stage {
    let stage = Stage::new();
    stage.open_to_all();
    fs::write(stage.path("secret"), SECRET).expect("write");
    set_mode(&stage.path("secret"), 0o600);
    stage
}

fn directory(stage: &Stage, name: &str, owner: u32, mode: u32) -> PathBuf {
    let path = stage.path(name);
    fs::create_dir(&path).expect("create a directory");
    chown(&path, Some(owner), None).expect("give it away");
    set_mode(&path, mode);
    path
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("a mode");
}

fn probe(stage: &Stage) -> Command {
    let mut command = stage.command(PROBE);
    command.args(["--user", "nobody"]);
    command
}

fn started(stage: &Stage, options: &[&str]) -> Daemon {
    stage.started(probe(stage).args(options).arg("--connect"))
}

/// The start fails with that line, and the secret is what it was.
fn refused(stage: &Stage, options: &[&str], line: &str) {
    stage.refuses(probe(stage).args(options), &format!("probe: {line}"));
    secret_is_untouched(stage);
}

fn secret_is_untouched(stage: &Stage) {
    assert_eq!(stage.read("secret"), SECRET);
    let metadata = fs::metadata(stage.path("secret")).expect("the secret");
    assert_eq!((metadata.uid(), metadata.gid(), metadata.mode() & 0o7777), (0, 0, 0o600));
}

fn owner_and_mode(path: &Path) -> (u32, u32, u32) {
    let metadata = fs::symlink_metadata(path).expect("a file");
    (metadata.uid(), metadata.gid(), metadata.mode() & 0o7777)
}

#[test]
fn logs_that_the_start_creates_belong_to_the_user() {
    needs_root!();
    let (uid, gid) = nobody();
    for (owner, mode) in [(0, 0o755), (0, 0o700), (uid, 0o755), (0, 0o777), (0, 0o1777)] {
        let stage = stage();
        directory(&stage, "logs", owner, mode);
        let mut daemon = started(&stage, &["--stdout", "logs/out", "--stderr", "truncate:logs/err"]);
        for log in ["logs/out", "logs/err"] {
            assert_eq!(owner_and_mode(&stage.path(log)), (uid, gid, 0o640), "{log} in {owner} {mode:o}");
        }
        daemon.ask("stdout one");
        assert_eq!(stage.read("logs/out"), "one\n");
    }
    let stage = stage();
    let daemon = stage.launch(stage.command(PROBE).args(["--group-number", "4", "--stdout", "log", "--connect"]));
    assert_eq!(daemon.status, 0, "{daemon:?}");
    drop(stage.daemon());
    assert_eq!(owner_and_mode(&stage.path("log")), (0, 4, 0o640));
}

#[test]
fn logs_that_were_there_keep_their_owner() {
    needs_root!();
    let stage = stage();
    fs::write(stage.path("log"), "old\n").expect("write");
    chown(stage.path("log"), Some(0), Some(4)).expect("give it away");
    set_mode(&stage.path("log"), 0o604);
    let mut daemon = started(&stage, &["--stdout", "log"]);
    daemon.ask("stdout new");
    assert_eq!(stage.read("log"), "old\nnew\n");
    assert_eq!(owner_and_mode(&stage.path("log")), (0, 4, 0o604));
}

#[test]
fn the_pidfile_stays_roots() {
    needs_root!();
    let stage = stage();
    let _daemon = started(&stage, &["--pidfile", "pid"]);
    assert_eq!(owner_and_mode(&stage.path("pid")), (0, 0, 0o600));
}

#[test]
fn a_symbolic_link_in_the_users_log_directory() {
    needs_root!();
    for (owner, mode) in [(nobody().0, 0o755), (0, 0o777), (0, 0o1777)] {
        let stage = stage();
        directory(&stage, "logs", owner, mode);
        symlink(stage.path("secret"), stage.path("logs/log")).expect("link");
        let link = "it is a symbolic link; name its target, {}/secret";
        for (option, stream) in [("--stdout", "stdout"), ("--stderr", "stderr"), ("--stdin", "stdin")] {
            refused(
                &stage,
                &[option, "logs/log"],
                &format!("cannot open {stream} {{}}/logs/log as user nobody: {link}"),
            );
        }
        refused(
            &stage,
            &["--stdout", "truncate:logs/log"],
            &format!("cannot open stdout {{}}/logs/log as user nobody: {link}"),
        );
    }
}

#[test]
fn a_hard_link_in_the_users_log_directory() {
    needs_root!();
    for (owner, mode) in [(nobody().0, 0o755), (0, 0o777), (0, 0o1777)] {
        let stage = stage();
        directory(&stage, "logs", owner, mode);
        fs::hard_link(stage.path("secret"), stage.path("logs/log")).expect("link");
        for (option, value) in [
            ("--stdout", "logs/log"),
            ("--stdout", "truncate:logs/log"),
            ("--stderr", "logs/log"),
            ("--stdin", "logs/log"),
        ] {
            let stream = option.trim_start_matches('-');
            let line = format!("cannot open {stream} {{}}/logs/log as user nobody: Permission denied (os error 13)");
            refused(&stage, &[option, value], &line);
        }
    }
}

/// A file that only root's groups may write to is not one that the user may write to.
#[test]
fn a_hard_link_to_a_file_of_a_group_of_roots() {
    needs_root!();
    let stage = stage();
    directory(&stage, "logs", nobody().0, 0o755);
    fs::write(stage.path("of-group"), SECRET).expect("write");
    chown(stage.path("of-group"), Some(0), Some(4)).expect("give it away");
    set_mode(&stage.path("of-group"), 0o660);
    fs::hard_link(stage.path("of-group"), stage.path("logs/log")).expect("link");
    let mut command = stage.command(ARRANGE);
    command.args(["--groups", "0,4", "--", PROBE, "--user", "nobody", "--stdout", "truncate:logs/log"]);
    let launch = stage.launch(&mut command);
    let line = format!("cannot open stdout {} as user nobody", stage.path("logs/log").display());
    assert_eq!((launch.status, launch.stderr), (1, format!("probe: {line}: Permission denied (os error 13)\n")));
    assert_eq!(stage.read("of-group"), SECRET);
}

/// In a directory of root's alone, files are opened as root.
#[test]
fn a_hard_link_to_a_file_of_another_user() {
    needs_root!();
    let stage = stage();
    fs::hard_link(stage.path("secret"), stage.path("log")).expect("link");
    let line = "cannot open stdout {}/log: it has a second hard link and belongs to another user";
    refused(&stage, &["--stdout", "log"], line);

    fs::write(stage.path("own"), "").expect("write");
    chown(stage.path("own"), Some(nobody().0), None).expect("give it away");
    fs::hard_link(stage.path("own"), stage.path("second")).expect("link");
    drop(started(&stage, &["--stdout", "second"]));
}

#[test]
fn a_linked_parent_directory() {
    needs_root!();
    let stage = stage();
    let of_root = directory(&stage, "of-root", 0, 0o755);
    fs::write(of_root.join("old"), SECRET).expect("write");
    directory(&stage, "of-user", nobody().0, 0o755);
    symlink(&of_root, stage.path("of-user/logs")).expect("link");
    // Also where root's own link leads to the user's.
    symlink("of-user/logs", stage.path("by-way")).expect("link");
    for logs in ["of-user/logs", "by-way", "of-user/logs/../of-root"] {
        for log in ["new", "old"] {
            let path = format!("{logs}/{log}");
            let line = format!("cannot open stdout {{}}/{path} as user nobody: Permission denied (os error 13)");
            refused(&stage, &["--stdout", &path], &line);
            refused(&stage, &["--stdout", &format!("truncate:{path}")], &line);
        }
    }
    assert_eq!(fs::read_to_string(of_root.join("old")).expect("read"), SECRET);
    assert!(!of_root.join("new").exists());
}

/// Links that only root can change are followed as root: upwards, and to another place.
#[test]
fn a_way_that_root_laid() {
    needs_root!();
    let stage = stage();
    let of_root = directory(&stage, "of-root", 0, 0o755);
    directory(&stage, "of-user", nobody().0, 0o755);
    symlink(&of_root, stage.path("link")).expect("link");
    for logs in ["of-user/../of-root", "link", "of-root/../link/../of-root"] {
        let mut daemon = started(&stage, &["--stdout", &format!("{logs}/log")]);
        daemon.ask("stdout one");
        assert_eq!(stage.read("of-root/log"), "one\n", "{logs}");
        fs::remove_file(of_root.join("log")).expect("remove");
    }
}

/// As many as Linux follows.
#[test]
fn forty_links_in_a_row() {
    needs_root!();
    let stage = stage();
    directory(&stage, "0", 0, 0o755);
    for number in 1..=41 {
        symlink((number - 1).to_string(), stage.path(&number.to_string())).expect("link");
    }
    let mut daemon = started(&stage, &["--pidfile", "40/pid"]);
    daemon.send("exit 0");
    daemon.wait();
    refused(&stage, &["--pidfile", "41/pid"], "cannot lock {}/41/pid: too many symbolic links lead to it");
}

/// A daemon that stays root gives up no rights.
#[test]
fn a_daemon_that_stays_root_opens_as_root() {
    needs_root!();
    let stage = stage();
    directory(&stage, "of-user", nobody().0, 0o755);
    let mut command = stage.command(PROBE);
    let launch =
        stage.launch(command.args(["--user", "root", "--group-number", "4", "--stdout", "of-user/missing/log"]));
    let missing = stage.path("of-user/missing").display().to_string();
    let line = format!("probe: cannot open stdout {missing}/log: there is no directory {missing}\n");
    assert_eq!((launch.status, launch.stderr), (1, line));
}

#[test]
fn links_that_lead_nowhere() {
    needs_root!();
    let stage = stage();
    symlink("there", stage.path("here")).expect("link");
    symlink("here", stage.path("there")).expect("link");
    refused(&stage, &["--pidfile", "here/pid"], "cannot lock {}/here/pid: too many symbolic links lead to it");
    let line = "cannot open stdout {}/here/log as user nobody: Too many levels of symbolic links (os error 40)";
    refused(&stage, &["--stdout", "here/log"], line);
}

/// Nobody can replace what is root's in a sticky directory, but anybody can put a link of their own there.
#[test]
fn a_link_in_a_sticky_directory_above() {
    needs_root!();
    let stage = stage();
    let of_root = directory(&stage, "of-root", 0, 0o755);
    let sticky = directory(&stage, "sticky", 0, 0o1777);
    fs::create_dir(sticky.join("logs")).expect("create a directory");
    symlink(&of_root, sticky.join("planted")).expect("link");
    std::os::unix::fs::lchown(sticky.join("planted"), Some(nobody().0), None).expect("give it away");
    let mut daemon = started(&stage, &["--stdout", "sticky/logs/log"]);
    daemon.send("exit 0");
    daemon.wait();
    let line = "cannot open stdout {}/sticky/planted/log as user nobody: Permission denied (os error 13)";
    refused(&stage, &["--stdout", "sticky/planted/log"], line);
    assert!(!of_root.join("log").exists());
}

/// The file system that a user mounts there tells what it likes, that it is root's for example.
#[test]
fn a_mount_in_a_sticky_directory() {
    needs_root!();
    let stage = stage();
    directory(&stage, "sticky", 0, 0o1777);
    directory(&stage, "sticky/mount", nobody().0, 0o755);
    let behind = || stage.command_behind("mount -t tmpfs -o mode=755 tmpfs sticky/mount", PROBE);
    let line = "users other than root may write in the directory {}/sticky";
    for (option, what) in [("--pidfile", "cannot lock"), ("--chroot", "cannot change the root directory to")] {
        let line = format!("probe: {what} {{}}/sticky/mount/name: {line}");
        stage.refuses(behind().args([option, "sticky/mount/name"]), &line);
    }
    let line = "probe: cannot open stdout {}/sticky/mount/log as user nobody: Permission denied (os error 13)";
    stage.refuses(behind().args(["--user", "nobody", "--stdout", "sticky/mount/log"]), line);
}

/// On a directory of theirs, users mount what they like by fusermount(1), and it says what they like.
#[test]
fn a_file_system_of_the_users_that_says_it_is_roots() {
    needs_root!();
    if fs::File::options().write(true).open("/dev/fuse").is_err() {
        return skip("FUSE");
    }
    let stage = stage();
    directory(&stage, "home", nobody().0, 0o755);
    let of_root = directory(&stage, "of-root", 0, 0o700);
    let fuse = format!("{}={}", stage.path("home").display(), of_root.display());
    let launch = |options: &[&str]| {
        let mut command = stage.command_behind("true", ARRANGE);
        stage.launch(command.args(["--fuse", &fuse, "--", PROBE]).args(options))
    };
    let line = |what: &str, why: &str| {
        format!("probe: cannot {what}: {why}\n").replace("{}", &stage.path("home").display().to_string())
    };
    let log = line("open stdout {}/link/log as user nobody", "no permission to search the directory {}/link");
    let why = "users other than root may write in the directory {}";
    for (options, line) in [
        (["--user", "nobody", "--stdout", "home/link/log"].as_slice(), log),
        (&["--pidfile", "home/link/pid"], line("lock {}/link/pid", why)),
        (&["--chroot", "home/link"], line("change the root directory to {}/link", why)),
        (&["--chroot", "home"], line("change the root directory to {}", why)),
    ] {
        let launch = launch(options);
        assert_eq!((launch.status, launch.stderr), (1, line), "{options:?}");
    }
    assert_eq!(fs::read_dir(of_root).expect("a directory").count(), 0);
    eventually("the end of everybody", || stage.processes().is_empty().then_some(()));
}

#[test]
fn a_log_that_the_daemon_replaced_by_a_link_to_a_secret() {
    needs_root!();
    let stage = stage();
    directory(&stage, "logs", nobody().0, 0o755);
    let launcher = stage.start(probe(&stage).args(["--notify", "--stderr", "logs/log", "--connect"]));
    let mut daemon = stage.daemon();
    daemon.ask("stderr its own words");
    let (log, secret) = (stage.path("logs/log"), stage.path("secret"));
    assert_eq!(daemon.ask(&format!("replace-by-link {} {}", log.display(), secret.display())), "");
    daemon.send("exit 3");
    let launch = launcher.end();
    assert_eq!(launch.status, 3);
    let said = "its own words\nprobe: the daemon ended before it was ready: exit status: 3\n";
    assert_eq!(launch.stderr, said);
    secret_is_untouched(&stage);
}

#[test]
fn a_pidfile_in_a_directory_of_the_user() {
    needs_root!();
    for (owner, mode) in [(nobody().0, 0o755), (0, 0o777), (0, 0o775)] {
        let stage = stage();
        directory(&stage, "run", owner, mode);
        symlink(stage.path("secret"), stage.path("run/link")).expect("link");
        for pidfile in ["run/pid", "run/link"] {
            let line = format!("cannot lock {{}}/{pidfile}: users other than root may write in the directory {{}}/run");
            refused(&stage, &["--pidfile", pidfile], &line);
        }
        assert!(!stage.path("run/pid").exists());
    }
    // Further up, or behind a link.
    let stage = stage();
    directory(&stage, "of-user", nobody().0, 0o755);
    let of_root = directory(&stage, "of-root", 0, 0o755);
    directory(&stage, "of-user/run", 0, 0o755);
    symlink(&of_root, stage.path("of-user/link")).expect("link");
    symlink("of-user/link", stage.path("by-way")).expect("link");
    for pidfile in ["of-user/run/pid", "of-user/link/pid", "by-way/pid"] {
        let line = format!("cannot lock {{}}/{pidfile}: users other than root may write in the directory {{}}/of-user");
        refused(&stage, &["--pidfile", pidfile], &line);
    }
    assert!(!of_root.join("pid").exists() && !stage.path("of-user/run/pid").exists());
}

#[test]
fn no_file_is_ever_writable_by_group_or_others() {
    needs_root!();
    for (at_launch, option) in [("0", "027"), ("022", "0"), ("0", "0"), ("777", "777")] {
        let stage = stage();
        let mut command = stage.command(ARRANGE);
        command.args(["--umask", at_launch, "--", PROBE, "--umask", option, "--user", "nobody", "--connect"]);
        let launch = stage.launch(command.args(["--stdout", "log", "--stderr", "err", "--pidfile", "pid"]));
        assert_eq!(launch.status, 0, "{launch:?}");
        let (uid, gid) = nobody();
        assert_eq!(owner_and_mode(&stage.path("log")), (uid, gid, 0o640), "{at_launch} {option}");
        assert_eq!(owner_and_mode(&stage.path("err")), (uid, gid, 0o640), "{at_launch} {option}");
        assert_eq!(owner_and_mode(&stage.path("pid")), (0, 0, 0o600), "{at_launch} {option}");
    }
}

/// The user cannot have the launcher, which is root, remove what the user may not remove.
#[test]
fn what_was_created_in_vain_is_removed_as_the_user() {
    needs_root!();
    for (mode, is_removed) in [(0o755, true), (0o555, false)] {
        let stage = stage();
        let logs = directory(&stage, "logs", nobody().0, 0o755);
        let launcher = stage.start(probe(&stage).args(["--notify", "--stdout", "logs/log", "--connect"]));
        let daemon = stage.daemon();
        assert!(logs.join("log").exists());
        set_mode(&logs, mode);
        daemon.process.signal(Signal::SIGKILL);
        assert_eq!(launcher.end().status, 128 + 9);
        assert_eq!(logs.join("log").exists(), !is_removed, "{mode:o}");
    }
}

/// A launcher that stayed the user would lock the pidfile, and chroot, as the wrong user.
#[test]
fn a_launcher_that_cannot_be_root_again_gives_up() {
    needs_root!();
    let Some(library) = preload::library("SETEUID_ROOT_FAILS") else { return };
    let stage = stage();
    directory(&stage, "logs", nobody().0, 0o755);
    let launch = stage.launch(probe(&stage).args(["--stdout", "logs/log"]).env("LD_PRELOAD", library));
    let line = "probe: cannot become root again after acting as user nobody: Operation not permitted (os error 1)\n";
    assert_eq!((launch.status, launch.stderr.as_str()), (1, line));
    assert!(stage.no_daemon_reported());
    assert!(!stage.path("logs/log").exists(), "created in vain, and left");
}
