//! Directories that the daemon goes to, by a path that the user may change.

use std::{
    fs,
    os::unix::fs::{lchown, symlink},
    path::PathBuf,
    process::Command,
};

use support::{Process, Stage, needs_root};

use super::{directory, nobody, probe, refused, set_mode, stage};
use crate::PROBE;

fn place(process: Process, what: &str) -> PathBuf {
    fs::read_link(format!("/proc/{}/{what}", process.0)).expect("a process")
}

/// A directory of the user's, with links to what is root's alone and to the root directory.
fn stage_with_links() -> Stage {
    let stage = stage();
    let of_root = directory(&stage, "of-root", 0, 0o700);
    fs::create_dir(of_root.join("inside")).expect("create a directory");
    directory(&stage, "of-user", nobody().0, 0o755);
    for (link, target) in [("root", PathBuf::from("/")), ("secret", of_root)] {
        symlink(target, stage.path(&format!("of-user/{link}"))).expect("link");
        lchown(stage.path(&format!("of-user/{link}")), Some(nobody().0), None).expect("give it away");
    }
    // Also where root's own link leads to the user's.
    symlink("of-user/secret", stage.path("by-way")).expect("link");
    stage
}

#[test]
fn a_working_directory_of_roots_behind_the_users_link() {
    needs_root!();
    let stage = stage_with_links();
    for directory in ["of-user/secret", "of-user/secret/inside", "by-way"] {
        for foreground in [[].as_slice(), &["--foreground"]] {
            let line =
                format!("cannot change directory to {{}}/{directory} as user nobody: Permission denied (os error 13)");
            refused(&stage, &[&["--chdir", directory], foreground].concat(), &line);
        }
    }
}

/// The check of the launcher finds the old one.
#[test]
fn a_link_that_is_another_one_after_the_check() {
    needs_root!();
    let Some(library) = crate::preload::library("CHDIR_FINDS_ANOTHER_LINK") else { return };
    let stage = stage_with_links();
    symlink("/usr", stage.path("of-user/link")).expect("link");
    let mut command = probe(&stage);
    command.args(["--chdir", "of-user/link"]).env("LD_PRELOAD", library);
    command.env("LINK", stage.path("of-user/link")).env("TARGET", stage.path("of-root"));
    let line = "probe: cannot change directory to {}/of-user/link as user nobody: Permission denied (os error 13)";
    stage.refuses(&mut command, line);
    assert_eq!(fs::read_link(stage.path("of-user/link")).expect("a link"), stage.path("of-root"), "as intended");
}

#[test]
fn where_the_user_may_go_the_daemon_goes() {
    needs_root!();
    let stage = stage();
    directory(&stage, "of-user", nobody().0, 0o700);
    symlink("of-user", stage.path("link")).expect("link");
    for foreground in [[].as_slice(), &["--foreground"]] {
        let options = [&["--chdir", "link", "--connect"], foreground].concat();
        let _launcher = stage.start(probe(&stage).args(options));
        assert_eq!(place(stage.daemon().process, "cwd"), stage.path("of-user"), "{foreground:?}");
    }
}

/// To stay takes no permission: root started it there.
#[test]
fn the_directory_of_the_launch_is_kept() {
    needs_root!();
    for foreground in [[].as_slice(), &["--foreground"]] {
        let stage = stage();
        set_mode(stage.directory(), 0o700);
        let _launcher = stage.start(probe(&stage).args(["--chdir", ".", "--connect"]).args(foreground));
        assert_eq!(place(stage.daemon().process, "cwd"), stage.directory(), "{foreground:?}");

        let line = format!(
            "probe: cannot change directory to {}/. as user nobody: Permission denied (os error 13)\n",
            stage.directory().display()
        );
        let launch = stage.launch(probe(&stage).args(["--go-to", "/", "--chdir", "."]).args(foreground));
        assert_eq!((launch.status, launch.stderr), (1, line.replace("/. as", " as")), "{foreground:?}");
    }
}

#[test]
fn a_directory_in_a_jail_that_only_root_may_enter() {
    needs_root!();
    let stage = stage();
    directory(&stage, "jail", 0, 0o755);
    directory(&stage, "jail/of-root", 0, 0o700);
    for foreground in [[].as_slice(), &["--foreground"]] {
        let line = "cannot change directory to /of-root as user nobody: Permission denied (os error 13)";
        refused(&stage, &[&["--chroot", "jail", "--chdir", "of-root"], foreground].concat(), line);
    }
    // The jail itself: root is there, and stays.
    set_mode(&stage.path("jail"), 0o700);
    let daemon = stage.started(probe(&stage).args(["--chroot", "jail", "--connect"]));
    assert_eq!(place(daemon.process, "cwd"), stage.path("jail"));
}

fn no_jail(stage: &Stage, jail: &str, untrusted: &str) {
    refuses_jail(stage, jail, &format!("users other than root may write in the directory {{}}/{untrusted}"));
}

fn refuses_jail(stage: &Stage, jail: &str, why: &str) {
    let line = format!("probe: cannot change the root directory to {{}}/{jail}: {why}");
    for user in [[].as_slice(), &["--user", "nobody"]] {
        for foreground in [[].as_slice(), &["--foreground"]] {
            let mut command: Command = stage.command(PROBE);
            stage.refuses(command.args(["--chroot", jail]).args(user).args(foreground), &line);
        }
    }
}

#[test]
fn a_jail_behind_the_users_link() {
    needs_root!();
    let stage = stage_with_links();
    for jail in ["of-user/root", "of-user/secret", "of-user/secret/inside", "by-way"] {
        no_jail(&stage, jail, "of-user");
    }
    let sticky = directory(&stage, "sticky", 0, 0o1777);
    symlink("/", sticky.join("root")).expect("link");
    lchown(sticky.join("root"), Some(nobody().0), None).expect("give it away");
    for jail in ["sticky/root", "sticky/root/usr"] {
        refuses_jail(&stage, jail, "the symbolic link {}/sticky/root does not belong to root");
    }
}

/// Whoever may write there can put a C library of their own next to a set-user-ID program.
#[test]
fn a_jail_in_which_others_may_write() {
    needs_root!();
    let stage = stage();
    for (jail, owner, mode) in
        [("of-user", nobody().0, 0o755), ("of-group", 0, 0o775), ("of-all", 0, 0o777), ("sticky", 0, 0o1777)]
    {
        directory(&stage, jail, owner, mode);
        no_jail(&stage, jail, jail);
        directory(&stage, &format!("{jail}/jail"), nobody().0, 0o755);
        no_jail(&stage, &format!("{jail}/jail"), if mode == 0o1777 { "sticky/jail" } else { jail });
    }
}

#[test]
fn a_jail_of_roots_in_a_sticky_directory() {
    needs_root!();
    let stage = stage();
    directory(&stage, "sticky", 0, 0o1777);
    directory(&stage, "sticky/jail", 0, 0o755);
    symlink("jail", stage.path("sticky/link")).expect("link");
    for jail in ["sticky/jail", "sticky/link", "sticky/jail/../link"] {
        let daemon = stage.started(probe(&stage).args(["--chroot", jail, "--connect"]));
        assert_eq!(place(daemon.process, "root"), stage.path("sticky/jail"), "{jail}");
    }
}
