//! A person at a terminal, with a shell that has job control.

use support::{Launcher, Process, Stage, Terminal, are_installed, eventually};

use crate::{ARRANGE, PROBE};

const CTRL_C: &str = "\x03";
const CTRL_Z: &str = "\x1a";

/// bash(1) on a terminal. Dash has job control too, but not everywhere.
struct Session {
    stage: Stage,
    terminal: Terminal,
    shell: Launcher,
}

impl Session {
    fn start() -> Option<Self> {
        if !are_installed(&["bash"]) {
            return None;
        }
        let stage = Stage::new();
        let mut terminal = Terminal::open();
        let mut bash = stage.command(ARRANGE);
        // What a script runs in the background ignores these, and so would all that is started here.
        bash.args(["--default", "SIGINT", "--default", "SIGQUIT"]).arg("--terminal").arg(&terminal.path);
        bash.args(["--", "bash", "--norc", "--noprofile", "-i"]).env("PS1", "ready> ").env("TERM", "dumb");
        let shell = stage.start(&mut bash);
        terminal.read_until("ready> ");
        Some(Self { stage, terminal, shell })
    }

    /// Types a line, and waits for those words.
    fn says(&mut self, line: &str, words: &str) {
        self.terminal.type_in(&format!("{line}\n"));
        self.terminal.read_until(words);
    }

    fn nobody_is_left_but_the_shell(&self) {
        eventually("the end of everybody else", || (self.stage.processes() == [self.shell.process]).then_some(()));
    }
}

fn is_stopped(process: Process) {
    eventually("its stop", || (process.stat(3)? == "T").then_some(()));
}

#[test]
fn ctrl_c_ends_a_start() {
    let Some(mut session) = Session::start() else { return };
    session.terminal.type_in(&format!("{PROBE} --notify --pidfile pid\n"));
    let _daemon = session.stage.daemon();
    session.terminal.type_in(CTRL_C);
    session.says("echo status $?", "status 130");
    session.nobody_is_left_but_the_shell();
    session.says(&format!("{PROBE} --pidfile pid; echo status $?"), "status 0");
    let _daemon = session.stage.daemon();
}

#[test]
fn ctrl_c_does_not_reach_the_daemon() {
    let Some(mut session) = Session::start() else { return };
    session.says(&format!("{PROBE}; echo status $?"), "status 0");
    let mut daemon = session.stage.daemon();
    daemon.assert_detached();
    for _ in 0..2 {
        // Sent to a job of the shell: the shell itself may miss a signal that is typed while it shows its prompt.
        session.terminal.type_in("sleep 1000\n");
        let sleeps = |session: &Session| session.stage.processes().iter().any(|process| process.name() == "sleep");
        eventually("the job", || sleeps(&session).then_some(()));
        session.terminal.type_in(CTRL_C);
        session.says("echo status $?", "status 130");
        daemon.look();
    }
}

#[test]
fn a_start_that_is_stopped_goes_on() {
    let Some(mut session) = Session::start() else { return };
    session.terminal.type_in(&format!("{PROBE} --notify\n"));
    let mut daemon = session.stage.daemon();
    let launcher = Process(daemon.sight.number("launcher"));
    session.terminal.type_in(CTRL_Z);
    is_stopped(launcher);
    session.terminal.read_until("ready> ");
    daemon.look(); // it is in another session
    daemon.send("ready");
    session.terminal.type_in("fg\n");
    assert_eq!(daemon.answer(), "");
    session.says("echo status $?", "status 0");
    daemon.look();
}

#[test]
fn a_start_in_the_background_is_told_of() {
    let Some(mut session) = Session::start() else { return };
    session.terminal.type_in(&format!("{PROBE} --notify &\n"));
    let mut daemon = session.stage.daemon();
    assert_eq!(daemon.ask("ready"), "");
    session.says("wait $!; echo status $?", "status 0");
    daemon.assert_detached();
}

#[test]
fn a_hang_up_ends_a_start() {
    let Some(mut session) = Session::start() else { return };
    session.terminal.type_in(&format!("{PROBE} --notify\n"));
    let _daemon = session.stage.daemon();
    let Session { stage, terminal, shell: _shell } = session;
    drop(terminal);
    eventually("the end of everybody", || stage.processes().is_empty().then_some(()));
}

#[test]
fn in_the_foreground_it_is_a_job() {
    let Some(mut session) = Session::start() else { return };
    session.terminal.type_in(&format!("{PROBE} --foreground\n"));
    let mut program = session.stage.daemon();
    assert_eq!(program.sight.get("launcher"), program.sight.get("pid"));
    assert_eq!(program.sight.get("terminal"), "some");
    program.ask("stdout hello");
    session.terminal.read_until("hello");
    session.terminal.type_in(CTRL_Z);
    is_stopped(program.process);
    session.terminal.read_until("ready> ");
    session.terminal.type_in("fg\n");
    program.look();
    session.terminal.type_in(CTRL_C);
    session.says("echo status $?", "status 130");
    session.nobody_is_left_but_the_shell();
}

#[test]
fn in_the_foreground_it_ends_with_its_terminal() {
    let Some(mut session) = Session::start() else { return };
    session.terminal.type_in(&format!("{PROBE} --foreground\n"));
    let program = session.stage.daemon();
    let Session { terminal, shell: _shell, .. } = session;
    drop(terminal);
    eventually("its end", || (!program.process.is_alive()).then_some(()));
}
