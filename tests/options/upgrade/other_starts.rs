//! A new version that starts in another way than the old one did.

use std::{fs, os::unix::fs::MetadataExt};

use support::{DEADLINE, eventually};

use super::{Service, content, executable, has_ended, supervisor};
use crate::{CLIENT, PROBE};

#[test]
fn its_pidfile_is_another_one() {
    let service = Service::new();
    let mut daemon = service.started(&[]);
    let other = service.stage.path("other");
    fs::write(&other, "").expect("write");
    service.install_script(&format!("#!/bin/bash\nexec -a probe {PROBE} \"$@\" --pidfile other"));
    let reason = service.refusal(&mut daemon);
    assert_eq!(
        reason,
        format!("cannot lock {}: the daemon that is being upgraded holds another file", other.display())
    );
}

/// The path of the launch, /dev/fd/9, is another file's by now: the program is executed by its own.
#[test]
fn the_old_one_was_executed_by_a_descriptor() {
    let service = Service::new();
    let mut command = service.stage.command("bash");
    command.args(["-c", "exec 9<\"$0\"; exec -a probe /dev/fd/9 \"$@\""]).arg(&service.program);
    let _old = service.stage.started(command.args(["--respawn", "on-failure", "--pidfile", "pid", "--stdout", "log"]));
    service.install(PROBE);
    let new = service.upgraded();
    let installed = fs::metadata(&service.program).expect("the new version").ino();
    assert_eq!(executable(new.process), installed);
}

/// That would end what it takes over from.
#[test]
fn it_stops_what_runs_before_it_starts() {
    let service = Service::new();
    let old = service.started(&["--stop-first", "pid"]);
    let before = supervisor(&old);
    let new = service.upgraded();
    assert_ne!(supervisor(&new), before);
    has_ended(&old);
}

/// Until the old supervisor lets go, the file is not the new program's to remove.
#[test]
fn it_locks_the_pidfile_in_setup() {
    let service = Service::new();
    let mut daemon = service.started(&["--lock"]);
    service.install_script(&format!("#!/bin/bash\nexec -a probe {PROBE} \"$@\" --fail 'bad luck'"));
    assert_eq!(service.refusal(&mut daemon), "bad luck: the cause");
    service.install(PROBE);
    let new = service.upgraded();
    assert_eq!(service.stage.read("pid"), content(supervisor(&new)));
    service.pidfile().stop(DEADLINE).expect("a stop");
    assert_eq!(service.stage.files(), ["log", "probe"]);
}

#[test]
fn it_goes_on_beside_its_daemon() {
    let service = Service::new();
    let mut daemon = service.started(&[]);
    service.install_script(&format!("#!/bin/bash\nexec -a probe {CLIENT} spawn \"$@\""));
    assert_eq!(service.refusal(&mut daemon), "cannot take over from the running daemon with `spawn`");
}

#[test]
fn it_has_no_pidfile() {
    let service = Service::new();
    let old = service.started(&[]);
    let before = supervisor(&old);
    service.install_script(&format!("#!/bin/sh\nexec {PROBE} --respawn on-failure --stdout log"));
    let said = service.stage.launch(service.stage.command(PROBE).args(["--pidfile", "pid", "--obey", "upgrade"]));
    let new = service.stage.daemon();
    has_ended(&old);
    assert_eq!((said.status, said.stderr.as_str()), (0, ""));
    // The old one may still be there to be found.
    let of_old = format!("probe has been upgraded, and runs as process {}\n", before.0);
    assert!(["probe has been upgraded\n", &of_old].contains(&said.stdout.as_str()), "{}", said.stdout);
    drop(new);
}

/// That of the new program is the supervisor's, who reads why it fails.
#[test]
fn it_inherits_standard_error() {
    let service = Service::new();
    let mut shell = service.stage.command("sh");
    shell.args(["-c", "exec ./probe \"$@\" 2>errors", "sh", "--respawn", "on-failure", "--pidfile", "pid"]);
    let mut old = service.stage.started(shell.args(["--stderr", "inherited"]));
    assert_eq!(old.ask("stderr from the old one"), "");
    let mut new = service.upgraded();
    has_ended(&old);
    assert_eq!(new.ask("stderr from the new one"), "");
    let errors = service.stage.read("errors");
    assert!(["old", "new"].iter().all(|which| errors.contains(&format!("from the {which} one\n"))), "{errors}");
}

/// The variable was for the supervisor.
#[test]
fn its_later_daemons_are_told_of_no_upgrade() {
    let service = Service::new();
    let old = service.started(&["--respawn", "on-failure,10,60000,1,1"]);
    let mut new = service.upgraded();
    has_ended(&old);
    eventually("the new one alone", || (service.stage.processes().len() == 2).then_some(()));
    new.send("crash");
    let mut next = service.stage.daemon();
    assert_eq!(next.ask("variable DAEMON_UPGRADE"), "environment variable not found");
}
