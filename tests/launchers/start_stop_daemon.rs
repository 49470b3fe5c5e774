//! start-stop-daemon(8), which init scripts start and stop programs with.

use std::{fs, process::Command};

use support::{Daemon, Launch, Machine, Process, Stage, eventually, needs_root, needs_tools};

use crate::PROBE;

/// Under a process 1 that orphans go to, and that reaps them: `--stop` waits for that.
fn start_stop_daemon(machine: &Machine, options: &str) -> Command {
    let mut command = machine.shell(&format!("start-stop-daemon {options}"));
    command.arg(PROBE);
    command
}

/// What it says when it has succeeded, and that is nothing.
fn in_silence(launch: &Launch) {
    assert_eq!((launch.status, launch.stderr.as_str()), (0, ""));
}

fn stop(stage: &Stage, machine: &Machine, daemon: &Daemon) {
    in_silence(&stage.launch(&mut start_stop_daemon(machine, "--stop --retry 5 --pidfile $PWD/pid --exec \"$1\"")));
    // When a process exits, it loses its program file, by which the tool knows it, shortly before it becomes a zombie.
    eventually("its end", || (!daemon.process.is_alive()).then_some(()));
}

/// The program is exec'ed: its parent is the script.
#[test]
fn a_script_starts_one_daemon() {
    needs_root!();
    needs_tools!("start-stop-daemon");
    let stage = Stage::new();
    let machine = Machine::start(&stage);
    let start = "--start --pidfile $PWD/pid --exec \"$1\" -- --pidfile $PWD/pid";
    in_silence(&stage.launch(&mut start_stop_daemon(&machine, start)));
    let daemon = stage.daemon();
    daemon.assert_detached();
    assert_eq!(stage.read("pid"), format!("{}\n", daemon.sight.get("pid")));

    let again = stage.launch(&mut start_stop_daemon(&machine, start));
    assert_eq!(again.status, 1, "{again:?}");
    assert!(again.stdout.contains("already running"), "{again:?}");
    // The probe's own word, where start-stop-daemon does not look.
    let second = stage.launch(machine.shell("\"$1\" --pidfile pid").arg(PROBE));
    let line = format!(
        "probe: cannot lock {}: already running as process {}\n",
        stage.path("pid").display(),
        daemon.sight.get("pid")
    );
    assert_eq!((second.status, second.stderr), (1, line));
    stop(&stage, &machine, &daemon);
}

/// The tool makes the daemon itself, and writes its child's number: after a second detach, that would be wrong.
#[test]
fn in_its_background_the_program_stays_who_it_is() {
    needs_root!();
    needs_tools!("start-stop-daemon");
    let words = "init: its parent is process 1, and its streams are neither terminal, pipe nor socket";
    let stage = Stage::new();
    let machine = Machine::start(&stage);
    // Often: the parent is start-stop-daemon, until that has left.
    for output in [""; 20].into_iter().chain(["--output $PWD/out"]) {
        let start = format!("--start --background {output} --make-pidfile --pidfile $PWD/pid --exec \"$1\"");
        in_silence(&stage.launch(&mut start_stop_daemon(&machine, &start)));
        let mut program = stage.daemon();
        program.assert_stays(words);
        assert_eq!(program.process.parent(), machine.init().0);
        eventually("the number", || (stage.read("pid").trim() == program.sight.get("pid")).then_some(()));
        program.ask("stdout hello");
        assert_eq!(stage.read("out"), if output.is_empty() { "" } else { "hello\n" });
        stop(&stage, &machine, &program);
    }
}

/// Its parent waits, and so does whoever called it.
#[test]
fn it_waits_until_the_program_is_ready() {
    needs_root!();
    needs_tools!("start-stop-daemon");
    let stage = Stage::new();
    let machine = Machine::start(&stage);
    let start = "--start --background --notify-await --make-pidfile --pidfile $PWD/pid --exec \"$1\" -- --notify";
    let starting = stage.start(&mut start_stop_daemon(&machine, start));
    let mut program = stage.daemon();
    program.assert_stays("a service manager: NOTIFY_SOCKET is set, and it has no terminal");
    for _ in 0..100 {
        program.look();
        assert!(starting.process.is_alive(), "it did not wait");
    }
    assert_eq!(program.ask("ready"), "");
    in_silence(&starting.end());
    assert_eq!(stage.read("pid").trim(), program.sight.get("pid"));
    stop(&stage, &machine, &program);
}

#[test]
fn it_waits_in_vain_for_a_program_that_does_not_tell() {
    needs_root!();
    needs_tools!("start-stop-daemon");
    let stage = Stage::new();
    let machine = Machine::start(&stage);
    let start =
        "--start --background --notify-await --notify-timeout 1 --make-pidfile --pidfile $PWD/pid --exec \"$1\"";
    let launch = stage.launch(&mut start_stop_daemon(&machine, start));
    let program = stage.daemon();
    program.assert_stays("a service manager: NOTIFY_SOCKET is set, and it has no terminal");
    assert_eq!(
        (launch.status, launch.stderr.as_str()),
        (2, "start-stop-daemon: timed out waiting for a notification\n")
    );
    assert!(program.process.is_alive(), "it runs, and the script believes that it does not");
}

/// This holds if it failed in the launcher, and if it failed in `main`: the script does not wait for the rest of its
/// time.
#[test]
fn it_does_not_wait_for_a_program_that_failed() {
    needs_root!();
    needs_tools!("start-stop-daemon");
    for (options, why) in
        [("--chdir /missing", " (No such file or directory)"), ("--fail no", ""), ("--detach always --fail no", "")]
    {
        let stage = Stage::new();
        let machine = Machine::start(&stage);
        let start = "--start --background --notify-await --notify-timeout 1000 --exec \"$1\" -- --notify";
        let launch = stage.launch(&mut start_stop_daemon(&machine, &format!("{start} {options}")));
        let line = format!("start-stop-daemon: program failed to initialize{why}\n");
        assert_eq!((launch.status, launch.stderr), (2, line), "{options}");
    }
    for (detach, end) in [("auto", "return no"), ("auto", "panic"), ("always", "exit 3"), ("always", "return no")] {
        let stage = Stage::new();
        let machine = Machine::start(&stage);
        let start = "--start --background --notify-await --notify-timeout 1000 --exec \"$1\" -- --notify --detach";
        let starting = stage.start(&mut start_stop_daemon(&machine, &format!("{start} {detach}")));
        let mut program = stage.daemon();
        program.send(end);
        let launch = starting.end();
        let line = "start-stop-daemon: program failed to initialize\n";
        assert_eq!((launch.status, launch.stderr.as_str()), (2, line), "{end}");
    }
}

/// By then the number in the pidfile is a different one, followed by newlines.
#[test]
fn it_stops_a_daemon_that_was_upgraded() {
    needs_root!();
    needs_tools!("start-stop-daemon");
    let stage = Stage::new();
    let machine = Machine::start(&stage);
    let start = "--start --pidfile $PWD/pid --exec \"$1\" -- --pidfile $PWD/pid --respawn on-failure";
    in_silence(&stage.launch(&mut start_stop_daemon(&machine, start)));
    let old = stage.daemon();
    let upgraded = stage.launch(machine.shell("\"$1\" --pidfile $PWD/pid --obey upgrade").arg(PROBE));
    assert_eq!((upgraded.status, upgraded.stderr.as_str()), (0, ""));
    let new = stage.daemon();
    eventually("the end of the old one", || (!old.process.is_alive()).then_some(()));
    let supervisor = Process(new.process.parent());
    in_silence(&stage.launch(&mut start_stop_daemon(&machine, "--status --pidfile $PWD/pid --exec \"$1\"")));
    assert_eq!(stage.read("pid"), format!("{:\n<9}", new.sight.get("session")));
    stop(&stage, &machine, &new);
    eventually("the end of both", || (!supervisor.is_alive()).then_some(()));
    assert_eq!(stage.files(), [""; 0]);
}

/// A number that another program left is not taken for this one's.
#[test]
fn a_stale_pidfile_hinders_nobody() {
    needs_root!();
    needs_tools!("start-stop-daemon");
    let stage = Stage::new();
    let machine = Machine::start(&stage);
    fs::write(stage.path("pid"), "1\n").expect("write a number");
    let start = "--start --pidfile $PWD/pid --exec \"$1\" -- --pidfile $PWD/pid";
    in_silence(&stage.launch(&mut start_stop_daemon(&machine, start)));
    stop(&stage, &machine, &stage.daemon());
}
