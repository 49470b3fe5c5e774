//! A service's children inherit its manager's variables: whom these are meant for, with real managers.

use std::{
    fs::{self, Permissions},
    os::unix::{fs::PermissionsExt, net::UnixDatagram},
    path::Path,
    process::Command,
};

use support::{Daemon, Stage, Systemd, are_installed, eventually, needs_tools};

use crate::PROBE;

const OWN: &str = "a service manager: NOTIFY_SOCKET is set, and it has no terminal";
const ANOTHERS: &str = "a program of another service: the manager's variables are for that service";
const SUPERVISORD: &str = "supervisord: SUPERVISOR_ENABLED is set, and it has no terminal";

/// Boots systemd with one unit for each of these commands.
fn boot(commands: &[(&str, &str)], lines: &str) -> Option<Systemd> {
    let units: Vec<_> = commands
        .iter()
        .map(|(name, command)| (format!("{name}.service"), format!("[Service]\n{lines}\nExecStart={command}\n")))
        .collect();
    let units: Vec<_> = units.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    Systemd::boot(&[PROBE], &units)
}

/// Programs that start the probe, and go on: in their place, from a worker that they forked, and behind a shell.
const HELPED: [(&str, &str); 5] = [
    ("helper", "/usr/bin/perl -e 'system qw(/usr/bin/probe --notify OPTIONS); sleep'"),
    ("background", "/usr/bin/perl -e 'fork or exec qw(/usr/bin/probe --notify OPTIONS); sleep'"),
    ("worker", "/usr/bin/perl -e 'fork or do { system qw(/usr/bin/probe --notify OPTIONS); sleep }; sleep'"),
    ("behind-shell", "/usr/bin/perl -e 'system q(/usr/bin/probe --notify OPTIONS; true); sleep'"),
    ("orphan", "/usr/bin/perl -e 'system q(/usr/bin/probe --notify OPTIONS & sleep 0.02); sleep'"),
];

#[test]
fn a_helper_leaves_the_service_alone() {
    needs_tools!("perl");
    for access in ["main", "all"] {
        for (options, detaches) in [("", true), ("--detach always", true), ("--detach never", false)] {
            let commands = HELPED.map(|(name, command)| (name, command.replace("OPTIONS", options)));
            let commands: Vec<_> = commands.iter().map(|(name, command)| (*name, command.as_str())).collect();
            let Some(systemd) = boot(&commands, &format!("NotifyAccess={access}")) else { return };
            for (name, _) in commands {
                eprintln!("{name}, NotifyAccess={access} {options}");
                is_left_alone(&systemd, &format!("{name}.service"), detaches);
            }
        }
    }
}

fn is_left_alone(systemd: &Systemd, unit: &str, detaches: bool) {
    assert_eq!(systemd.start(unit).status, 0);
    let main = systemd.state(unit);
    let mut helper = systemd.daemon();
    assert_eq!(helper.sight.get("launched_by"), ANOTHERS);
    assert_eq!(helper.sight.get("launcher") != helper.sight.get("pid"), detaches);
    assert_eq!(helper.ask("ready"), "");
    assert_eq!(systemd.state(unit), main, "ready");
    helper.send("return");
    eventually("its end", || (!helper.process.is_alive()).then_some(()));
    assert_eq!(systemd.state(unit), main, "stopping");
    assert!(main.starts_with("active running success "), "{main}");
}

/// Each runs the probe and waits for it. The first ones are those that a service is often started by.
fn wrapped() -> Vec<(&'static str, String)> {
    let tools = [
        ("su", "/usr/bin/su -c '/usr/bin/probe OPTIONS'"),
        ("sudo", "/usr/bin/sudo -E /usr/bin/probe OPTIONS"),
        ("runuser", "/usr/sbin/runuser -u root -- /usr/bin/probe OPTIONS"),
        ("flock", "/usr/bin/flock /run/lock /usr/bin/probe OPTIONS"),
        ("timeout", "/usr/bin/timeout 1000 /usr/bin/probe OPTIONS"),
        ("strace", "/usr/bin/strace --output /run/trace /usr/bin/probe OPTIONS"),
        ("tini", "/usr/bin/tini -s -- /usr/bin/probe OPTIONS"),
        ("dumb-init", "/usr/bin/dumb-init -- /usr/bin/probe OPTIONS"),
        ("sh", "/bin/sh -c 'sh -c \"/usr/bin/probe OPTIONS; true\"; true'"),
        ("unshare", "/usr/bin/unshare --fork --pid /usr/bin/probe OPTIONS"),
        ("bash", "/bin/bash -c '/usr/bin/probe OPTIONS; true'"),
        ("catatonit", "/usr/bin/catatonit -- /usr/bin/probe OPTIONS"),
        ("xargs", "/bin/sh -c 'echo OPTIONS | xargs /usr/bin/probe; true'"),
        ("setsid", "/usr/bin/sh -c 'setsid --wait setsid --wait /usr/bin/probe OPTIONS; true'"),
        ("time", "/usr/bin/time /usr/bin/probe OPTIONS"),
        ("nsenter", "/bin/sh -c 'nsenter --pid=/proc/1/ns/pid /usr/bin/probe OPTIONS; true'"),
        // Process 1 of the namespace is a shell, and what the number means there is another process.
        ("sh", "/usr/bin/unshare --fork --pid --mount-proc /bin/sh -c '/usr/bin/probe OPTIONS; true'"),
        ("sh", "/usr/bin/unshare --fork --pid /bin/sh -c '/usr/bin/probe OPTIONS; true'"),
        ("env", "/usr/bin/env -u SYSTEMD_EXEC_PID /usr/bin/perl -e 'system qw(/usr/bin/probe OPTIONS)'"),
    ];
    let is_there = |(tool, _): &(&'static str, &str)| are_installed(&[tool]);
    tools.into_iter().filter(is_there).map(|(tool, command)| (tool, command.replace("OPTIONS", "--notify"))).collect()
}

#[test]
fn a_wrapper_stands_in_for_the_program() {
    let wrapped = wrapped();
    let names: Vec<_> = wrapped.iter().enumerate().map(|(index, (tool, _))| format!("{tool}-{index}")).collect();
    let commands: Vec<_> =
        names.iter().zip(&wrapped).map(|(name, (_, command))| (name.as_str(), command.as_str())).collect();
    let Some(systemd) = boot(&commands, "Type=notify\nNotifyAccess=all") else { return };
    for (name, command) in &commands {
        eprintln!("{command}");
        let mut program = is_active_when_ready(&systemd, &format!("{name}.service"));
        // Process 1 is told so before anything else.
        let words = if name.starts_with("unshare") { "a container: its process id is 1" } else { OWN };
        program.assert_stays(words);
        program.send("return");
        systemd.reaches(&format!("{name}.service"), "inactive dead success 0");
    }
}

fn is_active_when_ready(systemd: &Systemd, unit: &str) -> Daemon {
    let start = systemd.starting(unit);
    let mut daemon = systemd.daemon();
    assert_eq!(systemd.show(unit, &["ActiveState", "SubState"]), "activating start", "it did not wait");
    assert_eq!(daemon.ask("ready"), "");
    let launch = start.end();
    assert_eq!((launch.status, launch.stderr.as_str()), (0, ""), "{unit}");
    daemon
}

/// The launcher names the daemon before the wrapper ends with it.
#[test]
fn a_wrapper_stands_in_for_a_launcher() {
    let mut wrapped = wrapped();
    wrapped.retain(|(_, command)| !command.contains("unshare")); // a namespace ends with its process 1
    let commands: Vec<_> = wrapped
        .iter()
        .enumerate()
        .map(|(index, (tool, command))| {
            (format!("{tool}-{index}"), command.replace("--notify", "--notify --detach always"))
        })
        .collect();
    let commands: Vec<_> = commands.iter().map(|(name, command)| (name.as_str(), command.as_str())).collect();
    let Some(systemd) = boot(&commands, "Type=notify\nNotifyAccess=all") else { return };
    for (name, command) in commands {
        eprintln!("{command}");
        let unit = format!("{name}.service");
        let daemon = is_active_when_ready(&systemd, &unit);
        assert_ne!(daemon.sight.get("launcher"), daemon.sight.get("pid"), "it did not detach");
        systemd.reaches(&unit, &format!("active running success {}", daemon.sight.get("pid")));
    }
}

/// A script has its own name, not that of its shell.
#[test]
fn a_script_stands_in_for_the_program() {
    let stage = Stage::new();
    for (name, first) in [("plain", "#!/bin/sh"), ("option", "#!/bin/sh -e"), ("environment", "#!/usr/bin/env bash")] {
        let script = stage.path(name);
        fs::write(&script, format!("{first}\n/usr/bin/probe --notify\n:\n")).expect("write a script");
        let script = script.display().to_string();
        let unit = format!("[Service]\nType=notify\nNotifyAccess=all\nExecStart=/usr/bin/{name}\n");
        let Some(systemd) = Systemd::boot(&[PROBE, &script], &[("script.service", &unit)]) else { return };
        is_active_when_ready(&systemd, "script.service").assert_stays(OWN);
    }
}

/// The same as for an unknown wrapper: without that variable, the others count for every process that has them.
#[test]
fn a_unit_can_say_that_its_wrapper_is_one() {
    needs_tools!("perl");
    let Some(systemd) = boot(
        &[("unknown", "/usr/bin/perl -e 'system qw(/usr/bin/probe --notify)'")],
        "Type=notify\nNotifyAccess=all\nUnsetEnvironment=SYSTEMD_EXEC_PID",
    ) else {
        return;
    };
    is_active_when_ready(&systemd, "unknown.service").assert_stays(OWN);
}

/// Exec gives it privileges, and behind a wrapper no variable counts.
#[test]
fn a_program_with_file_capabilities_behind_a_wrapper() {
    needs_tools!("setcap", "perl");
    for command in ["/bin/sh -c '/usr/bin/probe --notify; sleep 1000'", HELPED[0].1] {
        let unit = format!(
            "[Service]\nNotifyAccess=all\nUser=nobody\n\
             ExecStartPre=+/bin/sh -c 'setcap cap_net_bind_service+ep /usr/bin/probe'\nExecStart={}\n",
            command.replace("OPTIONS", "")
        );
        let Some(systemd) = Systemd::boot(&[PROBE], &[("probe.service", &unit)]) else { return };
        assert_eq!(systemd.start("probe.service").status, 0);
        let main = systemd.state("probe.service");
        let mut helper = systemd.daemon();
        assert_eq!(helper.ask("ready"), "");
        helper.assert_detached_from(
            "a shell or a program: exec gave this one more rights than its caller has, so no variable is trusted",
        );
        helper.send("return");
        eventually("its end", || (!helper.process.is_alive()).then_some(()));
        assert_eq!(systemd.state("probe.service"), main);
    }
}

/// A program that is, by the variable, the one that systemd started; below it, that command.
fn below_a_service(stage: &Stage, perl: &str) -> Command {
    let mut shell = stage.command("sh");
    shell.args(["-c", "SYSTEMD_EXEC_PID=$$ exec perl -e \"$0\" \"$@\"", perl, PROBE, "--notify"]);
    shell.env("NOTIFY_SOCKET", stage.path("notify"));
    shell
}

/// If that service has ended, its socket is gone. That is no reason not to start.
#[test]
fn a_socket_of_somebody_else_may_be_gone() {
    needs_tools!("perl");
    let stage = Stage::new();
    let start = stage.start(&mut below_a_service(&stage, "exit system(@ARGV) >> 8"));
    let mut daemon = stage.daemon();
    assert_eq!(daemon.ask("ready"), "");
    daemon.assert_detached_from(ANOTHERS);
    let launch = start.end();
    assert_eq!((launch.status, launch.stderr.as_str()), (0, ""));
}

/// A manager below a service has a socket of its own, but does not change the variable of the service.
#[test]
fn a_manager_in_a_service_is_heard() {
    needs_tools!("perl");
    let stage = Stage::new();
    let socket = UnixDatagram::bind(stage.path("own")).expect("bind");
    let perl = "$ENV{NOTIFY_SOCKET} = 'own'; use Cwd; $ENV{NOTIFY_SOCKET} = getcwd . '/own'; exit system(@ARGV) >> 8";
    let _start = stage.start(&mut below_a_service(&stage, perl));
    let mut program = stage.daemon();
    program.assert_stays(OWN);
    assert_eq!(program.ask("ready"), "");
    let mut text = [0; 64];
    let length = socket.recv(&mut text).expect("a message");
    assert_eq!(&text[..length], b"READY=1");
}

/// supervisord with that for its program, itself a service of systemd's, whose variables everybody below it has.
fn supervisord(stage: &Stage, program: &str) -> Command {
    let directory = stage.directory().display();
    fs::write(
        stage.path("supervisord.conf"),
        format!(
            "[supervisord]\nlogfile=/dev/null\nlogfile_maxbytes=0\npidfile={directory}/supervisord.pid\n\
             [program:program]\ncommand={program}\nstartsecs=0\nstdout_logfile=NONE\nstderr_logfile=NONE\n"
        ),
    )
    .expect("write a configuration");
    let mut shell = stage.command("sh");
    shell.args(["-c", "SYSTEMD_EXEC_PID=$$ exec supervisord --nodaemon --configuration supervisord.conf"]);
    shell.env("NOTIFY_SOCKET", stage.path("nobody"));
    shell
}

fn script(path: &Path, text: &str) {
    fs::write(path, text).expect("write a script");
    fs::set_permissions(path, Permissions::from_mode(0o755)).expect("a mode");
}

#[test]
fn a_program_of_supervisord_stays_behind_a_script_and_wrappers() {
    needs_tools!("supervisord", "timeout");
    let stage = Stage::new();
    let start = stage.path("start.sh");
    script(&start, &format!("#!/bin/sh\n{PROBE} --notify\n:\n"));
    for command in [
        format!("{PROBE} --notify"),
        start.display().to_string(),
        format!("sh -c '{PROBE} --notify; true'"),
        format!("timeout 1000 {PROBE} --notify"),
    ] {
        let _running = stage.start(&mut supervisord(&stage, &command));
        let mut program = stage.daemon();
        program.assert_stays(SUPERVISORD);
        assert_eq!(program.ask("ready"), "", "the socket of the service that supervisord is");
    }
}

#[test]
fn a_helper_of_a_supervised_program_detaches() {
    needs_tools!("supervisord", "perl");
    for perl in ["system qw(PROBE); sleep", "fork or exec qw(PROBE); sleep", "system q(PROBE; true); sleep"] {
        let stage = Stage::new();
        let helped = stage.path("helped.pl");
        script(&helped, &format!("#!/usr/bin/perl\n{}\n", perl.replace("PROBE", PROBE)));
        let _running = stage.start(&mut supervisord(&stage, &helped.display().to_string()));
        stage.daemon().assert_detached_from(ANOTHERS);
    }
}

/// By its environment, where its name is Python's.
#[test]
fn supervisord_by_another_name() {
    needs_tools!("supervisord");
    let stage = Stage::new();
    let mut supervisord = supervisord(&stage, PROBE);
    let run = "SYSTEMD_EXEC_PID=$$ exec \"$(head -1 \"$(command -v supervisord)\" | cut -c 3-)\" \
        \"$(command -v supervisord)\" --nodaemon --configuration supervisord.conf";
    let environment: Vec<_> =
        supervisord.get_envs().map(|(key, value)| (key.to_owned(), value.map(ToOwned::to_owned))).collect();
    supervisord = stage.command("sh");
    supervisord.args(["-c", run]).envs(environment.into_iter().filter_map(|(key, value)| Some((key, value?))));
    let _running = stage.start(&mut supervisord);
    stage.daemon().assert_stays(SUPERVISORD);
}
