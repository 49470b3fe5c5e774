//! What is done as the user is done without root's capabilities, however the launcher came to have them.

use std::{
    fs,
    os::unix::fs::{chown, symlink},
    process::Command,
};

use support::{Process, Stage, needs_root, needs_tools};

use super::{directory, nobody, set_mode, stage};
use crate::PROBE;

/// Ways to have capabilities that a change of the effective user id leaves in effect, as arguments of `setpriv`.
const WAYS: [&[&str]; 4] = [
    &["--securebits", "+no_setuid_fixup"],
    &["--securebits", "+no_setuid_fixup", "--inh-caps", CAPABLE, "--ambient-caps", CAPABLE],
    &["--reuid", "1", "--regid", "1", "--clear-groups", "--inh-caps", CAPABLE, "--ambient-caps", CAPABLE],
    // Root without what makes it root, but for these.
    &["--securebits", "+noroot", "--inh-caps", CAPABLE, "--ambient-caps", CAPABLE],
];

const CAPABLE: &str = "+setuid,+setgid,+dac_override,+chown,+sys_chroot";

fn probe(stage: &Stage, way: &[&str]) -> Command {
    let mut command = stage.command("setpriv");
    command.args(way).arg(stage.path("probe")).args(["--user", "nobody"]);
    command
}

/// A directory of the user's, with links to one that is root's alone.
fn stage_with_links() -> Stage {
    let stage = stage();
    let _ = stage.copy(PROBE); // for whoever may not reach the original
    let of_root = directory(&stage, "of-root", 0, 0o700);
    fs::write(of_root.join("old"), "").expect("write");
    directory(&stage, "of-user", nobody().0, 0o755);
    symlink(&of_root, stage.path("of-user/link")).expect("link");
    fs::write(stage.path("of-group"), "").expect("write");
    chown(stage.path("of-group"), Some(0), Some(4)).expect("give it away");
    set_mode(&stage.path("of-group"), 0o660);
    fs::hard_link(stage.path("of-group"), stage.path("of-user/log")).expect("link");
    stage
}

#[test]
fn a_link_to_roots_directory() {
    needs_root!();
    needs_tools!("setpriv");
    for way in WAYS {
        let stage = stage_with_links();
        for log in ["of-user/link/new", "of-user/link/old", "of-user/log"] {
            for stream in ["stdout", "stderr", "stdin"] {
                let option = format!("--{stream}");
                let what = format!("probe: cannot open {stream} {{}}/{log} as user nobody");
                let line = match log.split_once("/link/") {
                    Some(_) => format!("{what}: no permission to search the directory {{}}/of-user/link"),
                    None => format!("{what}: Permission denied (os error 13)"),
                };
                stage.refuses(probe(&stage, way).args([option.as_str(), log]), &line);
            }
        }
        assert!(!stage.path("of-root/new").exists(), "{way:?}");
        let line = "probe: cannot change directory to {}/of-user/link as user nobody: Permission denied (os error 13)";
        stage.refuses(probe(&stage, way).args(["--chdir", "of-user/link"]), line);
    }
}

/// Groups, ids and capabilities, as proc(5) has them.
fn privileges(process: Process) -> Vec<String> {
    let keys = ["Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"];
    keys.map(|key| process.status(key).expect("a process")).into()
}

#[test]
fn the_launcher_is_what_it_was() {
    needs_root!();
    needs_tools!("setpriv");
    let plain: &[&str] = &["--groups", "0,4,27"];
    for way in WAYS.into_iter().chain([plain]) {
        let stage = stage_with_links();
        let acts = ["--stdout", "of-user/new", "--chdir", "of-user"];
        let [before, after] = [[].as_slice(), &acts].map(|options| {
            let options = [&["--notify", "--connect"], options].concat();
            let launcher = stage.start(probe(&stage, way).args(options));
            let daemon = stage.daemon();
            let found = privileges(launcher.process);
            drop(daemon);
            assert_eq!(launcher.end().status, 128 + 9);
            found
        });
        assert_eq!(after, before, "{way:?}");
        assert_ne!(after[5], "0000000000000000", "{way:?}");
    }
}

/// Fewer capabilities may be in effect than are permitted. There are not more afterwards.
#[test]
fn what_was_not_in_effect_is_not_afterwards() {
    needs_root!();
    needs_tools!("setpriv");
    let stage = stage_with_links();
    let acts = ["--out-of-effect", "21", "--stdout", "of-user/new", "--notify", "--connect"];
    let launcher = stage.start(probe(&stage, &["--groups", "0"]).args(acts));
    let daemon = stage.daemon();
    let [permitted, effective] = ["CapPrm", "CapEff"].map(|key| {
        u64::from_str_radix(&launcher.process.status(key).expect("a process"), 16).expect("a set of capabilities")
    });
    assert_eq!(permitted & !effective, 1 << 21);
    drop(daemon);
    assert_eq!(launcher.end().status, 128 + 9);
}
