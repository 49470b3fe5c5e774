//! What starts a program and goes on, or waits for its streams: ssh, Node, cron, script.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    process::Command,
};

use support::{Launcher, Machine, Stage, Terminal, eventually, needs_root, needs_tools};

use crate::{ARRANGE, PROBE};

/// sshd(8) on a port of the loopback, with a key that is made for it.
struct Server<'stage> {
    stage: &'stage Stage,
    port: u16,
    running: Launcher,
}

impl<'stage> Server<'stage> {
    fn start(stage: &'stage Stage) -> Self {
        let keygen = stage.launch(stage.command("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f", "key"]));
        assert_eq!(keygen.status, 0, "{keygen:?}");
        stage.open_to_all();
        let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port();
        let directory = stage.directory().display();
        // It wants to be started by its path, and has a directory in /run.
        let script = "mount -t tmpfs tmpfs /run && mkdir -m 755 /run/sshd && exec \"$(command -v sshd)\" \"$@\"";
        let mut sshd = stage.command("unshare");
        sshd.args(["--mount", "--propagation", "private", "--", "sh", "-c", script, "sshd", "-D", "-e"]);
        sshd.args(["-f", "/dev/null", "-h", &format!("{directory}/key"), "-p", &port.to_string()]);
        for option in [
            "ListenAddress=127.0.0.1",
            "PermitRootLogin=yes",
            "StrictModes=no",
            "UsePAM=no",
            &format!("AuthorizedKeysFile={directory}/key.pub"),
            &format!("SetEnv=PROBE_SOCKET={directory}/probe.socket"),
        ] {
            sshd.args(["-o", option]);
        }
        let running = stage.start(&mut sshd);
        eventually("sshd", || TcpStream::connect(("127.0.0.1", port)).ok());
        Self { stage, port, running }
    }

    fn ssh(&self, options: &[&str], command: &str) -> Command {
        let mut ssh = self.stage.command("ssh");
        ssh.args(["-q", "-F", "none", "-i", "key", "-p", &self.port.to_string()]);
        ssh.args(["-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]);
        ssh.args(options).args(["root@127.0.0.1", command]);
        ssh
    }
}

/// It waits until everyone has closed the streams of the session, ssh(1).
#[test]
fn ssh_returns_at_once() {
    needs_root!();
    needs_tools!("sshd", "ssh", "ssh-keygen");
    let stage = Stage::new();
    let server = Server::start(&stage);
    for (options, command) in
        [([].as_slice(), PROBE), (&["-tt"], PROBE), (&[], &format!("{PROBE} &")), (&[], &format!("{PROBE}; :"))]
    {
        let launch = stage.launch(&mut server.ssh(options, command));
        assert_eq!(
            (launch.status, launch.stdout.as_str(), launch.stderr.as_str()),
            (0, "", ""),
            "{options:?} {command}"
        );
        let mut daemon = stage.daemon();
        daemon.assert_detached();
        eventually("the end of the session", || {
            let names: Vec<_> = stage.processes().iter().map(|process| process.name()).collect();
            (names.iter().filter(|name| *name != "probe").count() <= 1).then_some(())
        });
        daemon.look();
    }
    assert!(server.running.process.is_alive());
}

#[test]
fn ssh_tells_why_a_start_failed() {
    needs_root!();
    needs_tools!("sshd", "ssh", "ssh-keygen");
    let stage = Stage::new();
    let server = Server::start(&stage);
    let launch = stage.launch(&mut server.ssh(&[], &format!("{PROBE} --umask 1000")));
    let line = "probe: `umask` must be between 0o000 and 0o777, found 0o1000\n";
    assert_eq!((launch.status, launch.stderr.as_str()), (1, line));
}

fn node(stage: &Stage, script: &str) -> Command {
    let mut node = stage.command("node");
    node.args(["--eval", script, PROBE]);
    node
}

#[test]
fn node_holds_no_pipe_of_it() {
    needs_tools!("node");
    // `close` comes when all of its streams have ended, too.
    for options in ["", ", [], {stdio: 'pipe', detached: true}", ", [], {stdio: 'ignore'}"] {
        let stage = Stage::new();
        let script = format!(
            "require('child_process').spawn(process.argv[1]{options}).on('close', code => console.log('closed', code))"
        );
        let launch = stage.launch(&mut node(&stage, &script));
        assert_eq!((launch.status, launch.stdout.as_str(), launch.stderr.as_str()), (0, "closed 0\n", ""), "{options}");
        stage.daemon().assert_detached();
    }
}

/// If the parent does not wait, it may have exited when the program looks: then the program is a daemon already.
#[test]
fn node_leaves_it_behind() {
    needs_root!();
    needs_tools!("node");
    let stage = Stage::new();
    let machine = Machine::start(&stage);
    let script = "require('child_process').spawn(process.argv[1], [], {stdio: 'ignore', detached: true}).unref()";
    let launch = stage.launch(machine.shell("node --eval \"$1\" \"$2\"").args([script, PROBE]));
    assert_eq!((launch.status, launch.stdout.as_str(), launch.stderr.as_str()), (0, "", ""));
    let daemon = stage.daemon();
    eventually("its adoption", || (daemon.process.parent() == machine.init().0).then_some(()));
    assert_eq!(daemon.sight.get("terminal"), "none");
    let streams = daemon.sight.descriptors();
    assert_eq!([streams[&0], streams[&1], streams[&2]], ["/dev/null"; 3]);
}

/// It sends the output of a job by mail, when everyone has closed that.
#[test]
fn cron_waits_for_nobody() {
    needs_root!();
    needs_tools!("cron");
    let stage = Stage::new();
    let machine = Machine::start(&stage);
    let table = format!(
        "PROBE_SOCKET={}\n@reboot {PROBE} --pidfile {}\n",
        stage.path("probe.socket").display(),
        stage.path("pid").display()
    );
    fs::write(stage.path("table"), table).expect("write a table");
    // Its own tables, and none of the machine's.
    let script = "
        set -e
        for directory in /run /var/spool/cron /etc/cron.d; do mount -t tmpfs -o mode=755 tmpfs $directory; done
        mount --bind /dev/null /etc/crontab
        mkdir -m 1730 /var/spool/cron/crontabs
        install -m 600 table /var/spool/cron/crontabs/root
        cron -f";
    let _cron = stage.start(&mut machine.shell(script));
    let mut daemon = stage.daemon();
    daemon.assert_detached();
    eventually("the end of the job", || {
        let names: Vec<_> = stage.processes().iter().map(|process| process.name()).collect();
        (names.iter().filter(|name| *name == "cron").count() == 1).then_some(())
    });
    daemon.look();
}

#[test]
fn script_returns() {
    needs_tools!("script");
    let stage = Stage::new();
    let launch = stage.launch(stage.command("script").args(["-qec", PROBE, "/dev/null"]));
    assert_eq!((launch.status, launch.stdout.as_str(), launch.stderr.as_str()), (0, "", ""));
    let mut daemon = stage.daemon();
    daemon.assert_detached();
    daemon.look();
}

/// `nohup` writes to a file where it finds a terminal, and its user leaves.
#[test]
fn nohup_is_not_needed() {
    let stage = Stage::new();
    let mut terminal = Terminal::open();
    let mut shell = stage.command(ARRANGE);
    shell.arg("--terminal").arg(&terminal.path);
    shell.args(["--", "sh", "-c", "nohup \"$0\" & wait; echo status $?; exec sleep 1000", PROBE]);
    let shell = stage.start(&mut shell);
    terminal.read_until("status 0");
    let mut daemon = stage.daemon();
    daemon.assert_detached();
    drop(terminal);
    eventually("the end of the shell", || (!shell.process.is_alive()).then_some(()));
    daemon.look();
    assert_eq!(stage.read("nohup.out"), "");
}
