//! What a daemon keeps of what its launcher had: descriptors, signals, and directory, umask and streams by default.

use std::{fs::File, process::Command};

use nix::fcntl::{Flock, FlockArg};
use support::{Libc, Sight, Stage, eventually};

use crate::{ARRANGE, EARLY, PROBE};

fn arranged(stage: &Stage, arrangement: &[&str]) -> Command {
    let mut command = stage.command(ARRANGE);
    command.args(arrangement).args(["--", PROBE]);
    command
}

/// The standard streams on the null device, and the connection to the test, which came later.
fn only_standard_streams(sight: &Sight) {
    let descriptors: Vec<_> = sight.descriptors().into_iter().collect();
    assert_eq!(descriptors, [(0, "/dev/null"), (1, "/dev/null"), (2, "/dev/null")]);
}

/// A bit for each signal, proc(5). SIGPIPE is ignored in every Rust program, and some are out of a program's reach: the C
/// library keeps them for itself, signal(7).
fn signals(sight: &Sight, key: &str) -> u64 {
    let own = bit(13) | Libc::of(PROBE).own_signals();
    u64::from_str_radix(sight.get(key), 16).expect("a set of signals") & !own
}

fn bit(signal: u32) -> u64 {
    1 << (signal - 1)
}

#[test]
fn directory_umask_and_streams_are_the_defaults() {
    let stage = Stage::new();
    assert_eq!(stage.launch(&mut stage.command(PROBE)).status, 0);
    let daemon = stage.daemon();
    assert_eq!(daemon.sight.get("directory"), "/");
    assert_eq!(daemon.sight.get("Umask"), "0027");
    only_standard_streams(&daemon.sight);
}

/// Beyond the numbers that are tried where nothing lists them.
#[test]
fn a_descriptor_with_a_high_number_is_closed() {
    let stage = Stage::new();
    let mut command = stage.command("sh");
    command.args(["-c", "ulimit -n 4096 && exec \"$@\"", "sh", ARRANGE, "--fd", "4000=held", "--", PROBE]);
    only_standard_streams(&stage.started(&mut command).sight);
}

#[test]
fn ignored_and_blocked_signals_are_reset() {
    let stage = Stage::new();
    let arrangement =
        ["--ignore", "SIGCHLD", "--ignore", "SIGHUP", "--ignore", "SIGTERM", "--ignore-real-time", "--block-all"];
    assert_eq!(stage.launch(&mut arranged(&stage, &arrangement)).status, 0);
    let daemon = stage.daemon();
    assert_eq!(signals(&daemon.sight, "SigIgn"), 0);
    assert_eq!(signals(&daemon.sight, "SigBlk"), 0);
}

#[test]
fn an_ignored_sigchld_hides_no_failure() {
    let stage = Stage::new();
    let mut launcher = arranged(&stage, &["--ignore", "SIGCHLD"]).arg("--notify").spawn().expect("start the launcher");
    let mut daemon = stage.daemon();
    daemon.send("exit 7");
    assert_eq!(eventually("the launcher's end", || launcher.try_wait().expect("wait")).code(), Some(7));
}

#[test]
fn what_setup_ignores_or_blocks_stays_so() {
    let stage = Stage::new();
    let launch = stage.launch(stage.command(PROBE).args(["--ignore-signal", "SIGHUP", "--block-signal", "SIGUSR1"]));
    assert_eq!(launch.status, 0);
    let daemon = stage.daemon();
    assert_eq!(signals(&daemon.sight, "SigIgn"), bit(1));
    assert_eq!(signals(&daemon.sight, "SigBlk"), bit(10));
}

#[test]
fn a_sigchld_that_setup_ignores_stays_so_and_hides_no_failure() {
    let stage = Stage::new();
    let mut launcher =
        stage.command(PROBE).args(["--notify", "--ignore-signal", "SIGCHLD"]).spawn().expect("start the launcher");
    let mut daemon = stage.daemon();
    assert_eq!(signals(&daemon.sight, "SigIgn"), bit(17));
    daemon.send("exit 7");
    assert_eq!(eventually("the launcher's end", || launcher.try_wait().expect("wait")).code(), Some(7));
}

#[test]
fn inherited_descriptors_are_released() {
    let stage = Stage::new();
    let lock = stage.path("lock");
    let arrangement = [format!("9={}", lock.display()), format!("500={}", lock.display())];
    let launch =
        stage.launch(&mut arranged(&stage, &["--fd", &arrangement[0], "--lock", "9", "--fd", &arrangement[1]]));
    assert_eq!(launch.status, 0);
    let daemon = stage.daemon();
    let file = File::open(&lock).expect("open the lock");
    assert!(Flock::lock(file, FlockArg::LockExclusiveNonblock).is_ok(), "the lock is still held");
    only_standard_streams(&daemon.sight);
}

#[test]
fn pipes_end_when_the_daemon_is_ready() {
    let stage = Stage::new();
    let script = "\"$0\" | cat; x=$(\"$0\" 2>&1); echo status $? \"$x\"";
    let launch = stage.launch(stage.command("sh").args(["-c", script, PROBE]));
    assert_eq!((launch.status, launch.stdout.as_str(), launch.stderr.as_str()), (0, "status 0 \n", ""));
    let _daemons = [stage.daemon(), stage.daemon()];
}

#[test]
fn a_taken_descriptor_is_the_programs() {
    let stage = Stage::new();
    let taken = stage.path("taken");
    let arrangement = [9, 500].map(|number| format!("{number}={}", taken.display()));
    let mut command = arranged(&stage, &["--fd", &arrangement[0], "--fd", &arrangement[1]]);
    assert_eq!(stage.launch(command.args(["--take", "9"])).status, 0);
    let mut daemon = stage.daemon();
    assert_eq!(daemon.sight.descriptors().into_keys().collect::<Vec<_>>(), [0, 1, 2, 9]);
    assert_eq!(daemon.sight.get("close_on_exec"), "9");
    assert_eq!(daemon.ask("write 9 words"), "");
    assert_eq!(stage.read("taken"), "words");
    daemon.ask("drop");
    assert_eq!(daemon.process.descriptor(9), None, "dropped, it is closed");
}

#[test]
fn what_cannot_be_taken_is_an_error() {
    let stage = Stage::new();
    let file = format!("9={}", stage.path("file").display());
    for (options, why) in [
        (["--take", "7"].as_slice(), "cannot take file descriptor 7: it was not inherited, or is taken already"),
        (&["--take", "1"], "cannot take file descriptor 1: it is a standard stream; duplicate it instead"),
        (&["--take", "9", "--take", "9"], "cannot take file descriptor 9: it was not inherited, or is taken already"),
        (&["--close", "9", "--take", "9"], "cannot take file descriptor 9: it was closed or replaced since the launch"),
        (
            &["--close", "9", "--open-as", "9", "--take", "9"],
            "cannot take file descriptor 9: it was closed or replaced since the launch",
        ),
    ] {
        let launch = stage.launch(arranged(&stage, &["--fd", &file]).args(options));
        assert_eq!((launch.status, launch.stderr), (1, format!("probe: {why}\n")), "{options:?}");
    }
}

#[test]
fn what_setup_opened_lives_on() {
    let stage = Stage::new();
    assert_eq!(stage.launch(stage.command(PROBE).args(["--open", "opened"])).status, 0);
    let mut daemon = stage.daemon();
    assert_eq!(daemon.ask("write opened words"), "");
    assert_eq!(stage.read("opened"), "words");
}

#[test]
fn a_reused_number_is_not_closed() {
    let stage = Stage::new();
    let inherited = format!("9={}", stage.path("inherited").display());
    let mut command = arranged(&stage, &["--fd", &inherited]);
    assert_eq!(stage.launch(command.args(["--close", "9", "--open-as", "9"])).status, 0);
    let daemon = stage.daemon();
    assert_eq!(daemon.process.descriptor(9), Some(stage.path("reused")));
}

#[test]
fn what_a_constructor_opened_lives_on() {
    let stage = Stage::new();
    assert_eq!(stage.launch(&mut stage.command(EARLY)).status, 0);
    let path = stage.path("early.log");
    assert_eq!(
        eventually("the daemon's word", || Some(stage.read("early.log")).filter(|text| !text.is_empty())),
        "main\n"
    );
    assert!(path.exists());
}

#[test]
fn a_process_substitution_can_be_read_in_setup() {
    let stage = Stage::new();
    // What bash makes of `--read <(echo words)`.
    let script = "{ echo words | \"$0\" --read /dev/fd/9 9<&0 </dev/null; } && echo status $?";
    let launch = stage.launch(stage.command("sh").args(["-c", script, PROBE]));
    assert_eq!((launch.stdout.as_str(), launch.stderr.as_str()), ("words\nstatus 0\n", ""));
    only_standard_streams(&stage.daemon().sight);
}

#[test]
fn streams_that_were_closed_at_launch_end_up_where_they_should() {
    for closed in 0..8 {
        let stage = Stage::new();
        let mut arrangement = Vec::new();
        for number in
            ["0", "1", "2"].into_iter().filter(|number| closed & (1 << number.parse::<u8>().unwrap_or(0)) != 0)
        {
            arrangement.extend(["--close", number]);
        }
        let bare = env!("CARGO_BIN_EXE_bare");
        let programs = [PROBE, bare];
        let programs = if Libc::of(bare).has_arguments_before_main() { &programs[..] } else { &programs[..1] };
        for program in programs {
            let mut command = stage.command(ARRANGE);
            command.args(&arrangement).args(["--", program, "--stdout", "out", "--stderr", "err", "--open", "opened"]);
            assert_eq!(stage.launch(&mut command).status, 0, "{program} with {arrangement:?}");
            let daemon = stage.daemon();
            let opened = [stage.path("out"), stage.path("err"), stage.path("opened")];
            let (out, err) = (opened[0].display().to_string(), opened[1].display().to_string());
            let descriptors = daemon.sight.descriptors();
            assert_eq!([descriptors[&0], descriptors[&1], descriptors[&2]], ["/dev/null", &out, &err]);
            assert_eq!(descriptors.values().filter(|target| **target == opened[2].to_string_lossy()).count(), 1);
            assert_eq!(descriptors.len(), 4, "{descriptors:?}");
        }
    }
}
