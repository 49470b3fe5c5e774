//! Session, terminal and parent of a daemon.

use std::process::Command;

use nix::sys::signal::Signal;
use support::{Process, Stage, Terminal, eventually};

use crate::{ARRANGE, PROBE};

#[test]
fn a_daemon_is_on_its_own() {
    let stage = Stage::new();
    let mut command = stage.command(PROBE);
    let mut launcher = command.spawn().expect("start the launcher");
    let launcher_id = i32::try_from(launcher.id()).expect("a process id");
    assert!(launcher.wait().expect("the launcher's end").success());
    let daemon = stage.daemon();

    let own = daemon.process;
    let leader = own.session();
    assert_ne!(own.0, launcher_id, "the launcher went on");
    assert_ne!(leader, own.0, "the daemon leads its session");
    assert_ne!(leader, Process::own().session(), "the session is not the launcher's");
    assert_eq!(own.group(), leader, "the group is the new session's");
    eventually("the leader's end", || (own.parent() != leader).then_some(()));
    assert_ne!(own.parent(), launcher_id);
    assert_eq!(own.number(7), 0, "no controlling terminal, proc(5) tty_nr");
    assert_eq!(daemon.sight.get("terminal"), "none");
    assert_eq!(stage.processes(), [own], "nobody else is left");
}

#[test]
fn a_terminal_that_it_opens_does_not_control_it() {
    let stage = Stage::new();
    let terminal = Terminal::open();
    assert_eq!(stage.launch(&mut stage.command(PROBE)).status, 0);
    let mut daemon = stage.daemon();
    let seen = daemon.ask(&format!("open-terminal {}", terminal.path.display()));
    assert!(seen.contains(&format!("={}", terminal.path.display())), "the terminal was not open: {seen}");
    assert!(seen.contains("terminal=none"), "{seen}");
    assert_eq!(daemon.process.number(7), 0);
}

#[test]
fn a_terminal_as_its_stream_does_not_control_it() {
    let stage = Stage::new();
    let terminal = Terminal::open();
    assert_eq!(stage.launch(stage.command(PROBE).arg("--stdout").arg(&terminal.path)).status, 0);
    let daemon = stage.daemon();
    assert_eq!(daemon.process.descriptor(1).as_ref(), Some(&terminal.path));
    assert_eq!(daemon.process.number(7), 0);
}

#[test]
fn it_survives_the_hang_up_of_its_terminal() {
    let stage = Stage::new();
    let mut terminal = Terminal::open();
    let mut shell = on_terminal(&stage, &terminal, &["sh", "-c", "\"$0\"; echo status $?; exec sleep 1000", PROBE]);
    let shell = shell.spawn().map(End).expect("start a shell");
    terminal.read_until("status 0");
    let mut daemon = stage.daemon();
    drop(terminal);
    shell.wait(); // the hang-up reached it
    daemon.look();
    assert!(daemon.process.is_alive());
}

#[test]
fn nobody_types_into_it() {
    let stage = Stage::new();
    let mut terminal = Terminal::open();
    let mut shell =
        on_terminal(&stage, &terminal, &["sh", "-c", "\"$0\"; echo status $?; read line; echo got $line", PROBE]);
    let shell = shell.spawn().map(End).expect("start a shell");
    terminal.read_until("status 0");
    let mut daemon = stage.daemon();
    terminal.type_in("hello\n");
    terminal.read_until("got hello");
    assert_eq!(daemon.ask("stdin"), "");
    shell.wait();
}

/// A program whose controlling terminal that is.
fn on_terminal(stage: &Stage, terminal: &Terminal, command: &[&str]) -> Command {
    let mut arranged = stage.command(ARRANGE);
    arranged.arg("--terminal").arg(&terminal.path).arg("--").args(command);
    arranged
}

/// A child that is reaped when the test fails, too.
struct End(std::process::Child);

impl End {
    fn wait(mut self) {
        eventually("the end of the shell", || self.0.try_wait().expect("wait for the shell"));
    }
}

impl Drop for End {
    fn drop(&mut self) {
        Process(i32::try_from(self.0.id()).unwrap_or_default()).signal(Signal::SIGKILL);
        let _ = self.0.wait();
    }
}
