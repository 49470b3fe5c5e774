//! User namespaces. All users from outside have one and the same id in them, and root may be an ordinary user outside.

use std::{
    fs,
    io::Write,
    os::unix::fs::{chown, symlink},
    process::{Command, Stdio},
};

use support::{Stage, eventually, needs_root, needs_tools, skip};

use super::{directory, nobody, set_mode, stage};
use crate::PROBE;

/// Whom the namespace's root is outside, and whom its user nobody.
const ROOT: u32 = 100_000;
const NOBODY: u32 = 165_534;

/// A start in a user namespace with these two: its status, and what it says.
fn launch(stage: &Stage, options: &[&str]) -> (Option<i32>, String) {
    let script = "read line; exec \"$@\"";
    let mut command = stage.command("setpriv");
    command.args(["--reuid", &ROOT.to_string(), "--regid", &ROOT.to_string(), "--clear-groups"]);
    command.args(["unshare", "--user", "sh", "-c", script, "sh"]).arg(stage.path("probe")).args(options);
    let mut child = command.stdin(Stdio::piped()).stderr(stage.create("stderr")).spawn().expect("start");
    let own = fs::read_link("/proc/self/ns/user").expect("a namespace");
    eventually("a namespace", || {
        fs::read_link(format!("/proc/{}/ns/user", child.id())).is_ok_and(|other| other != own).then_some(())
    });
    for map in ["uid_map", "gid_map"] {
        let path = format!("/proc/{}/{map}", child.id());
        fs::write(path, format!("0 {ROOT} 1\n{} {NOBODY} 1\n", nobody().0)).expect("write a map");
    }
    child.stdin.take().expect("a pipe").write_all(b"go\n").expect("write");
    let status = eventually("the launcher's end", || child.try_wait().expect("wait")).code();
    (status, stage.read("stderr"))
}

/// The root directory belongs to root outside, who has no id inside. So it shows the id of the user that the daemon
/// becomes.
#[test]
fn a_user_who_has_the_number_of_those_outside() {
    needs_root!();
    needs_tools!("setpriv");
    let stage = stage();
    let _ = stage.copy(PROBE);
    let of_root = directory(&stage, "of-root", ROOT, 0o700);
    let of_user = directory(&stage, "of-user", NOBODY, 0o755);
    symlink(&of_root, of_user.join("link")).expect("link");
    if stage.launch(Command::new("unshare").args(["--user", "true"])).status != 0 {
        return skip("user namespaces");
    }
    let path = |name: &str| stage.path(name).display().to_string();

    let (log, directory) = (path("of-user/link/log"), path("of-user/link"));
    let why = format!("no permission to search the directory {directory}");
    let line = format!("probe: cannot open stdout {log} as user nobody: {why}\n");
    assert_eq!(launch(&stage, &["--user", "nobody", "--stdout", &log]), (Some(1), line));
    for jail in [path("of-user"), path("of-user/link")] {
        let (status, line) = launch(&stage, &["--user", "nobody", "--chroot", &jail]);
        let why = "users other than root may write in the directory /\n";
        assert_eq!((status, line), (Some(1), format!("probe: cannot change the root directory to {jail}: {why}")));
    }
    let pidfile = path("of-user/link/pid");
    let (status, line) = launch(&stage, &["--pidfile", &pidfile]);
    let why = "users other than root may write in the directory /\n";
    assert_eq!((status, line), (Some(1), format!("probe: cannot lock {pidfile}: {why}")));
    assert_eq!(fs::read_dir(of_root).expect("a directory").count(), 0);

    // In directories of its own the user has a log all the same.
    let (status, line) = launch(&stage, &["--user", "nobody", "--stdout", &path("of-user/log"), "--connect"]);
    assert_eq!((status, line.as_str()), (Some(0), ""));
    stage.daemon().ask("stdout one");
    assert_eq!(stage.read("of-user/log"), "one\n");
}

/// The same is true for a file that somebody outside has put where others may write.
#[test]
fn a_log_of_somebody_outside() {
    needs_root!();
    needs_tools!("setpriv");
    let stage = stage();
    let _ = stage.copy(PROBE);
    directory(&stage, "open", 0, 0o1777);
    fs::write(stage.path("open/log"), "").expect("write");
    chown(stage.path("open/log"), Some(54321), Some(54321)).expect("give it away");
    set_mode(&stage.path("open/log"), 0o666);
    if stage.launch(Command::new("unshare").args(["--user", "true"])).status != 0 {
        return skip("user namespaces");
    }
    let log = stage.path("open/log").display().to_string();
    let why = "it belongs to another user, and others may write in its directory\n";
    let line = format!("probe: cannot open stdout {log} as user nobody: {why}");
    assert_eq!(launch(&stage, &["--user", "nobody", "--stdout", &log]), (Some(1), line));

    // The daemon's own is known all the same.
    chown(stage.path("open/log"), Some(NOBODY), Some(NOBODY)).expect("give it away");
    let (status, line) = launch(&stage, &["--user", "nobody", "--stdout", &log, "--connect"]);
    assert_eq!((status, line.as_str()), (Some(0), ""));
    drop(stage.daemon());
}

/// Root of a namespace with one id is an ordinary user, and nobody inside has fewer rights.
#[test]
fn an_ordinary_user_who_is_root_inside() {
    needs_root!();
    needs_tools!("setpriv");
    let stage = stage();
    let _ = stage.copy(PROBE);
    directory(&stage, "home", ROOT, 0o755);
    directory(&stage, "home/jail", ROOT, 0o755);
    let unshare = |program: &str| {
        let mut command = stage.command("setpriv");
        command.args(["--reuid", &ROOT.to_string(), "--regid", &ROOT.to_string(), "--clear-groups"]);
        command.args(["unshare", "--map-root-user", program]);
        command
    };
    if stage.launch(&mut unshare("true")).status != 0 {
        return skip("user namespaces");
    }
    let probe = stage.path("probe").display().to_string();
    for options in [[].as_slice(), &["--chroot", "home/jail"], &["--user", "root"]] {
        let mut command = unshare(&probe);
        command.args(["--pidfile", "home/pid", "--stdout", "home/log", "--chdir", "/", "--connect"]).args(options);
        let mut daemon = stage.started(&mut command);
        daemon.ask("stdout one");
        assert_eq!(stage.read("home/log"), "one\n", "{options:?}");
        assert_eq!(stage.read("home/pid"), format!("{}\n", daemon.process.0), "{options:?}");
        daemon.send("exit 0");
        daemon.wait();
        fs::remove_file(stage.path("home/log")).expect("remove");
        let _ = fs::remove_file(stage.path("home/pid"));
    }
}

/// Root of the machine stays root of the machine, whatever else there is in the namespace.
#[test]
fn roots_own_namespace_with_one_id() {
    needs_root!();
    let stage = stage();
    directory(&stage, "of-user", nobody().0, 0o755);
    let mut command = stage.command("unshare");
    command.args(["--map-root-user", PROBE, "--pidfile", "of-user/pid"]);
    let line = "probe: cannot lock {}/of-user/pid: users other than root may write in the directory {}/of-user";
    stage.refuses(&mut command, line);
    chown(stage.path("of-user"), Some(0), None).expect("take it");
    set_mode(&stage.path("of-user"), 0o755);
    drop(stage.started(stage.command("unshare").args(["--map-root-user", PROBE, "--pidfile", "of-user/pid"])));
}
