//! Process 1 and its children: containers' first processes, the small init programs that they have, and orphans.

use std::process::{Command, Stdio};

use support::{Daemon, Machine, Process, Stage, Terminal, are_installed, needs_root, needs_tools};

use crate::{ARRANGE, PROBE};

/// That of the probe that a shell starts in a new session, on that terminal.
fn on_terminal(command: &mut Command, terminal: &Terminal) -> Command {
    let mut arranged = Command::new(ARRANGE);
    arranged.arg("--terminal").arg(&terminal.path).arg("--").arg(command.get_program()).args(command.get_args());
    for (key, value) in command.get_envs() {
        arranged.env(key, value.unwrap_or_default());
    }
    arranged
}

#[test]
fn the_first_process_stays() {
    needs_root!();
    let stage = Stage::new();
    let unshare = stage.start(stage.first_process(PROBE).args(["--notify", "--pidfile", "pid"]));
    let mut program = stage.daemon();
    program.assert_stays("a container: its process id is 1");
    assert_eq!((program.sight.get("pid"), stage.read("pid").as_str()), ("1", "1\n"));
    assert_eq!(program.ask("ready"), "");
    program.send("exit 7");
    assert_eq!(unshare.end().status, 7);
}

#[test]
fn the_child_of_a_small_init_stays() {
    needs_root!();
    for init in [["tini", "--"].as_slice(), &["tini", "-s", "--"], &["dumb-init"], &["dumb-init", "-c"], &["catatonit"]]
    {
        if !are_installed(&init[..1]) {
            continue;
        }
        let stage = Stage::new();
        let unshare = stage.start(stage.first_process(init[0]).args(&init[1..]).arg(PROBE));
        let program = stage.daemon();
        program.assert_stays(&format!("a supervisor: its parent is named {}", init[0]));
        assert_eq!(program.parent_name(), init[0]);
        Process(program.process.parent()).signal(nix::sys::signal::Signal::SIGTERM);
        assert_eq!(unshare.end().status, 128 + 15, "{init:?} hands on the signal, and the status");
    }
}

#[test]
fn the_child_of_a_small_init_stays_on_a_terminal() {
    needs_root!();
    for init in ["tini", "dumb-init", "catatonit"] {
        if !are_installed(&[init]) {
            continue;
        }
        let stage = Stage::new();
        let mut terminal = Terminal::open();
        let _unshare = stage.start(&mut on_terminal(stage.first_process(init).args(["--", PROBE]), &terminal));
        let mut program = stage.daemon();
        program.assert_stays(&format!("a supervisor: its parent is named {init}"));
        program.ask("stdout hello");
        terminal.read_until("hello");
    }
}

#[test]
fn a_subreaper_of_that_name_is_a_supervisor() {
    needs_tools!("tini");
    let stage = Stage::new();
    let tini = stage.start(stage.command("tini").args(["-s", "--", PROBE]));
    let mut program = stage.daemon();
    program.assert_stays("a supervisor: its parent is named tini");
    assert_eq!(program.process.parent(), tini.process.0);
    program.send("exit 7");
    assert_eq!(tini.end().status, 7);
}

#[test]
fn a_shell_that_is_process_1_goes_on() {
    needs_root!();
    let script = "\"$0\"; echo status $?; exec sleep 1000";
    let stage = Stage::new();
    let mut terminal = Terminal::open();
    let mut shell = stage.first_process("sh");
    let _unshare = stage.start(&mut on_terminal(shell.args(["-c", script, PROBE]), &terminal));
    terminal.read_until("status 0");
    is_left_to_process_1(&stage.daemon(), "sleep");

    let stage = Stage::new();
    let mut shell = stage.first_process("sh");
    let _unshare = stage.start(shell.args(["-c", script, PROBE])); // its output is a pipe
    is_left_to_process_1(&stage.daemon(), "sleep");
}

fn is_left_to_process_1(daemon: &Daemon, name: &str) {
    daemon.assert_detached();
    support::eventually("its adoption", || (daemon.parent_name() == name).then_some(()));
}

/// A pod of Kubernetes with `shareProcessNamespace`, and `kubectl exec` or `podman exec` in any.
#[test]
fn in_a_shared_pid_namespace_it_stays() {
    needs_root!();
    let stage = Stage::new();
    let machine = Machine::start(&stage);
    let nsenter = stage.start(machine.enter().arg(PROBE));
    let mut program = stage.daemon();
    program.assert_stays("a container: its parent is in another pid namespace, and it has no terminal");
    assert_eq!(program.sight.get("parent"), "0");
    program.send("exit 7");
    assert_eq!(nsenter.end().status, 7);
}

#[test]
fn in_a_shared_pid_namespace_it_detaches_from_a_terminal() {
    needs_root!();
    let stage = Stage::new();
    let machine = Machine::start(&stage);
    let terminal = Terminal::open();
    let mut command = machine.enter();
    let launch = stage.launch(&mut on_terminal(command.arg(PROBE), &terminal));
    assert_eq!(launch.status, 0);
    is_left_to_process_1(&stage.daemon(), "init");
}

/// A command that a shell runs in the background ignores SIGINT, POSIX sh 2.11. That is the evidence that counts,
/// because its parent may be the shell or already process 1 when it looks.
#[test]
fn in_the_background_of_a_shell_that_leaves_it_detaches_every_time() {
    needs_root!();
    let stage = Stage::new();
    let machine = Machine::start(&stage);
    // Twice 13 times twelve, of which some wait.
    let script = r#"
        for round in $(seq 13); do
            sh -c '"$0" &' "$1"
            sh -c '"$0" & sleep 0.001' "$1"
            sh -c '("$0" &)' "$1"
            setsid sh -c '"$0" &' "$1"
            sh -c 'nohup "$0" &' "$1"
            sh -c '"$0" 2>&1 | cat &' "$1"
            bash -c '"$0" &' "$1"
            bash -c '"$0" & disown' "$1"
            setsid bash -c '"$0" & exit' "$1"
            sh -c '"$0" & wait' "$1"
            sh -c '"$0" & sleep 0.002' "$1"
            sh -c '"$0" & sleep 0.004' "$1"
        done"#;
    let mut shells = Vec::new();
    for stream in [Stdio::null, Stdio::piped] {
        let mut shell = machine.shell(script);
        shells.push(shell.arg(PROBE).stdout(stream()).stderr(stream()).spawn().expect("start a shell"));
    }
    for _ in 0..2 * 13 * 12 {
        stage.daemon().assert_detached();
    }
    for mut shell in shells {
        assert!(shell.wait().expect("the shell's end").success());
    }
}

/// The parent is `setsid`, until that has left.
#[test]
fn what_setsid_left_to_process_1_is_a_daemon_already() {
    needs_root!();
    let stage = Stage::new();
    let machine = Machine::start(&stage);
    for round in 0..50 {
        let mut setsid = machine.shell("setsid -f \"$1\"");
        let mut setsid = setsid.arg(PROBE).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("start setsid");
        let program = stage.daemon();
        program.assert_stays("init: its parent is process 1, and its streams are neither terminal, pipe nor socket");
        assert_eq!(program.process.parent(), machine.init().0, "round {round}");
        assert_eq!(program.process.session(), program.process.0, "the session that setsid made");
        assert!(setsid.wait().expect("the end of setsid").success());
    }
}

#[test]
fn what_setsid_left_with_a_pipe_or_a_terminal_detaches() {
    needs_root!();
    let stage = Stage::new();
    let machine = Machine::start(&stage);
    let launch = stage.launch(machine.shell("setsid -f \"$1\"").arg(PROBE));
    assert_eq!((launch.status, launch.stderr.as_str()), (0, ""));
    is_left_to_process_1(&stage.daemon(), "init");

    let mut terminal = Terminal::open();
    let mut setsid = machine.shell("setsid -f \"$1\"; echo status $?; sleep 1000");
    let _shell = stage.start(&mut on_terminal(setsid.arg(PROBE), &terminal));
    terminal.read_until("status 0");
    is_left_to_process_1(&stage.daemon(), "init");
}

/// A small init also gets orphans. So its name does not show that it started them.
#[test]
fn in_the_background_of_a_shell_below_a_small_init_it_detaches_every_time() {
    needs_root!();
    needs_tools!("tini");
    let stage = Stage::new();
    let script = r#"
        for round in $(seq 50); do sh -c '"$0" &' "$0"; sh -c '"$0" & sleep 0.001' "$0"; done
        sleep 1000"#;
    let _unshare = stage.start(stage.first_process("tini").args(["--", "sh", "-c", script, PROBE]));
    for _ in 0..2 * 50 {
        stage.daemon().assert_detached();
    }
}

/// It would be hung up together with the terminal.
#[test]
fn an_orphan_with_a_terminal_detaches() {
    needs_root!();
    needs_tools!("perl");
    let stage = Stage::new();
    let machine = Machine::start(&stage);
    let mut terminal = Terminal::open();
    let script = "for round in $(seq 20); do perl -e 'fork || exec @ARGV' \"$1\" </dev/null >/dev/null 2>&1; done; echo done; sleep 1000";
    let mut shell = machine.shell(script);
    let _shell = stage.start(&mut on_terminal(shell.arg(PROBE), &terminal));
    terminal.read_until("done");
    for _ in 0..20 {
        stage.daemon().assert_detached();
    }
}

/// It does not put its children into sessions or groups of their own, as an init does.
#[test]
fn a_shell_that_is_process_1_goes_on_without_terminal_and_pipe() {
    needs_root!();
    let stage = Stage::new();
    let mut shell = stage.first_process("sh");
    shell.args(["-c", "\"$0\"; echo status $?; exec sleep 1000", PROBE]).stdout(stage.create("out"));
    let mut shell = shell.stderr(Stdio::null()).spawn().expect("start a shell");
    let daemon = stage.daemon();
    daemon.assert_detached();
    support::eventually("the next line", || (stage.read("out") == "status 0\n").then_some(()));
    drop((daemon, stage));
    let _ = shell.wait();
}

/// It looks like an init in everything but its name: the children that it detaches are in sessions of their own.
#[test]
fn a_program_that_is_process_1_is_no_init() {
    needs_root!();
    needs_tools!("node", "perl", "python3");
    let perl = "use POSIX; open STDIN, '</dev/null'; open STDOUT, '>/dev/null'; open STDERR, '>/dev/null'; \
                fork or do { setsid; exec @ARGV }; sleep 1000";
    let node = "require('child_process').spawn(process.argv[1], { detached: true, stdio: 'ignore' }); \
                setTimeout(() => {}, 1000000)";
    let python = "import subprocess, sys, time\n\
                  subprocess.Popen([sys.argv[1]], start_new_session=True, stdin=subprocess.DEVNULL, \
                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\ntime.sleep(1000)";
    for (program, arguments) in [("perl", ["-e", perl]), ("node", ["-e", node]), ("python3", ["-c", python])] {
        let stage = Stage::new();
        let _unshare = stage.start(stage.first_process(program).args(arguments).arg(PROBE));
        let daemon = stage.daemon();
        is_left_to_process_1(&daemon, program);
    }
}

/// As far as anybody can see, the same program with the name of an init starts services.
#[test]
fn process_1_is_an_init_by_its_name() {
    needs_root!();
    needs_tools!("perl");
    for name in ["init", "systemd", "finit"] {
        let perl = format!(
            "use POSIX; $0 = '{name}'; open STDIN, '</dev/null'; open STDOUT, '>/dev/null'; open STDERR, '>/dev/null'; \
             fork or do {{ setsid; exec @ARGV }}; sleep 1000"
        );
        let stage = Stage::new();
        let _unshare = stage.start(stage.first_process("perl").args(["-e", &perl, PROBE]));
        stage
            .daemon()
            .assert_stays("init: its parent is process 1, and its streams are neither terminal, pipe nor socket");
    }
}
