//! Where the system has nothing left, and where there are many upgrades.

use std::{
    fs::{self, File},
    io::{ErrorKind, Write},
    os::unix::fs::FileExt,
    path::PathBuf,
};

use support::{DEADLINE, Process, eventually, needs_root, needs_tools, skip};

use super::{Service, content, descriptors, has_ended, supervisor};
use crate::{PROBE, options::respawn::processes::Processes};

/// Pages of its own, proc(5).
fn pages(process: Process) -> usize {
    let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", process.0)).expect("its memory");
    let line = rollup.lines().find_map(|line| line.strip_prefix("Private_Dirty:")).expect("a line");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

fn times() -> usize {
    std::env::var("UPGRADES").ok().and_then(|times| times.parse().ok()).unwrap_or(30)
}

/// The signal that comes with it is not the daemon's.
#[test]
fn a_reason_that_is_longer_than_files_may_be_ends_no_daemon() {
    let service = Service::new();
    let mut command = service.stage.command("bash");
    let options = ["--respawn", "on-failure", "--pidfile", "pid", "--stdout", "log"];
    command.args(["-c", "ulimit -f 1; exec \"$0\" \"$@\""]).arg(&service.program).args(options);
    let mut daemon = service.stage.started(&mut command);
    service.install_script("#!/bin/sh\nseq 1000 >&2; exit 1");
    service.pidfile().upgrade(DEADLINE).expect_err("no upgrade");
    eventually("a line", || service.stage.read("log").contains("cannot upgrade").then_some(()));
    assert!(!daemon.ask("look").is_empty(), "it serves on");
}

#[test]
fn it_does_not_grow() {
    let service = Service::new();
    let mut daemon = service.started(&["--notify", "--ready", "--socket", "tcp@3", "--clone-sockets"]);
    let mut seen = Vec::new();
    for _ in 0..times() {
        let old = daemon;
        daemon = service.upgraded();
        has_ended(&old);
        let supervisor = supervisor(&daemon);
        eventually("the new one alone", || (service.stage.processes().len() == 2).then_some(()));
        let environment = fs::read(format!("/proc/{}/environ", supervisor.0)).expect("its environment");
        seen.push((descriptors(supervisor), environment.split(|&byte| byte == 0).count(), pages(supervisor)));
    }
    // Right after an upgrade it may still hold the line to the old one, and pages that it shared with a process which has
    // ended.
    let halves = seen.split_at(seen.len() / 2);
    let fewest = |seen: &[(usize, usize, usize)]| {
        let fewest = |number: fn(&(usize, usize, usize)) -> usize| seen.iter().map(number).min().expect("some");
        [fewest(|seen| seen.0), fewest(|seen| seen.1), fewest(|seen| seen.2)]
    };
    let ([descriptors, variables, pages], last) = (fewest(halves.0), fewest(halves.1));
    assert_eq!([descriptors, variables], last[..2], "{seen:?}");
    assert!(last[2] <= pages + pages / 10, "{seen:?}");
}

/// One after the other fails.
#[test]
fn an_upgrade_that_failed_leaves_nothing_behind() {
    let service = Service::new();
    let mut daemon = service.started(&["--notify", "--ready"]);
    let supervisor = supervisor(&daemon);
    service.install_script("#!/bin/sh\necho no luck >&2; exit 3");
    let mut seen = Vec::new();
    for _ in 0..5 {
        assert_eq!(service.refusal(&mut daemon), "no luck");
        let memory = ["VmSize", "VmData"].map(|key| supervisor.status(key).expect("a status"));
        seen.push((descriptors(supervisor), memory));
    }
    assert_eq!(seen[1], seen[4], "{seen:?}");
}

const SECRET: &str = "hidden in the environment";

/// Whether a part of it is left: free(3) writes over the beginning alone.
fn knows_secret(Process(id): Process) -> bool {
    let maps = fs::read_to_string(format!("/proc/{id}/maps")).expect("its memory");
    let memory = fs::File::open(format!("/proc/{id}/mem")).expect("its memory");
    let ranges = maps.lines().filter_map(|line| {
        let (range, rest) = line.split_once(' ')?;
        let (start, end) = range.split_once('-')?;
        let number = |text| u64::from_str_radix(text, 16).ok();
        rest.starts_with("rw").then_some((number(start)?, number(end)?))
    });
    let mut found = false;
    for (start, end) in ranges {
        let mut bytes = vec![0; usize::try_from(end - start).expect("a size")];
        let read = memory.read_at(&mut bytes, start).unwrap_or(0);
        found |= bytes[..read].windows(SECRET.len()).any(|window| window == SECRET.as_bytes());
    }
    found
}

/// What a supervisor needs to launch the next version is not for its daemons.
#[test]
fn what_is_not_kept_is_not_in_the_memory_of_a_daemon() {
    let service = Service::new();
    let mut command = service.command(&["--keep-env", "PROBE_SOCKET", "--notify", "--ready"]);
    // Of many, some part would be left.
    command.envs((1..40).map(|length| (format!("SECRET{length}"), SECRET.repeat(length))));
    let mut daemon = service.stage.started(&mut command);
    assert!(!knows_secret(daemon.process), "the first one");
    daemon.send("crash");
    daemon = service.stage.daemon();
    assert!(!knows_secret(daemon.process), "the second one");
    daemon = service.upgraded();
    assert!(!knows_secret(daemon.process), "the one of the next version");
    assert!(knows_secret(supervisor(&daemon)), "where the test looks, it can be found");
    service.install_script(&format!("#!/bin/sh\nenv >seen; exec {PROBE} \"$@\""));
    daemon = service.upgraded();
    assert!(service.stage.read("seen").contains(SECRET), "which its launch has");
    assert!(!knows_secret(daemon.process));
}

/// Of descriptors.
#[test]
fn where_there_are_none_left_it_says_so_and_goes_on() {
    let service = Service::new();
    let mut daemon = service.started(&["--notify", "--ready"]);
    let supervisor = supervisor(&daemon);
    let open = (0..64).filter(|&number| supervisor.descriptor(number).is_some()).max().expect("a descriptor");
    let open = usize::try_from(open).expect("a number") + 1;
    let mut reasons = Vec::new();
    for limit in open..open + 12 {
        limit_descriptors(supervisor, limit);
        let Err(error) = service.pidfile().upgrade(DEADLINE) else { break };
        reasons.push(format!("{error:#}"));
        limit_descriptors(supervisor, 1024);
        assert!(!daemon.ask("look").is_empty());
    }
    assert!(reasons.len() > 3, "{reasons:?}");
    // The supervisor's words are the same with every C library, those of a program are not.
    let is_told = |reason: &String| ["Too many open files", "(os error 24)"].iter().any(|words| reason.contains(words));
    assert!(reasons.iter().all(is_told), "{reasons:#?}");
}

fn limit_descriptors(process: Process, limit: usize) {
    let status = std::process::Command::new("prlimit")
        .args([format!("--pid={}", process.0), format!("--nofile={limit}:1024")])
        .status()
        .expect("start prlimit");
    assert!(status.success());
}

/// Each step has one more than the step before.
#[test]
fn where_there_is_no_process_to_be_had_it_says_so_and_goes_on() {
    needs_root!();
    let Some(group) = Processes::new() else { return skip("a control group that counts processes") };
    let service = Service::new();
    let mut command = group.command(&service.stage, &service.program);
    command.args(["--respawn", "on-failure", "--pidfile", "pid", "--stdout", "log", "--notify", "--ready"]);
    let mut daemon = service.stage.started(&mut command);
    for (limit, reason) in [
        ("2", "cannot start the new program: Try again"),
        ("3", "cannot fork the session leader: Resource temporarily unavailable (os error 11)"),
        ("4", "cannot fork the daemon: Resource temporarily unavailable (os error 11)"),
    ] {
        group.limit(limit);
        assert_eq!(service.refusal(&mut daemon), reason);
        let line = format!("probe: cannot upgrade: {reason}\n");
        assert!(service.stage.read("log").ends_with(&line), "{}", service.stage.read("log"));
    }
    group.limit("max");
    let new = service.upgraded();
    has_ended(&daemon);
    drop(new);
}

/// A file system that nobody else sees, as the processes of the service see it.
struct FullDisk {
    service: Service,
    path: PathBuf,
}

impl FullDisk {
    /// The service has its log and its pidfile there.
    fn of(size: &str) -> (Self, support::Daemon) {
        let service = Service::new();
        let stage = &service.stage;
        stage.create_directory("full");
        let mount = format!("mount -t tmpfs -o {size} tmpfs full");
        let mut command = stage.command_behind(&mount, service.program.to_str().expect("a path"));
        command.args(["--respawn", "on-failure", "--pidfile", "full/pid", "--stdout", "full/log"]);
        let daemon = stage.started(command.args(["--notify", "--ready"]));
        let path = format!("/proc/{}/root{}", daemon.process.0, stage.path("full").display()).into();
        (Self { service, path }, daemon)
    }

    fn fill(&self) {
        let mut zeroes = File::create(self.path.join("zeroes")).expect("create a file");
        let error = (0..1 << 20).find_map(|_| zeroes.write_all(&[0; 1 << 10]).err()).expect("an end");
        assert_eq!(error.kind(), ErrorKind::StorageFull);
    }

    fn obey(&self, daemon: &support::Daemon, word: &str) -> support::Launch {
        let stage = &self.service.stage;
        let mut command = stage.command("nsenter");
        command.args(["--mount", "--target", &daemon.process.0.to_string()]);
        command.arg(format!("--wdns={}", stage.directory().display())).arg(PROBE);
        stage.launch(command.args(["--pidfile", "full/pid", "--obey", word]))
    }
}

/// It costs the lines: in place of one number there is room for another.
#[test]
fn on_a_full_disk_it_goes_on() {
    needs_root!();
    needs_tools!("mount", "nsenter");
    let (disk, mut daemon) = FullDisk::of("size=64k");
    disk.fill();
    let stage = &disk.service.stage;
    for _ in 0..3 {
        let said = disk.obey(&daemon, "upgrade");
        let old = daemon;
        daemon = stage.daemon();
        let new = supervisor(&daemon);
        assert_eq!(said.stdout, format!("probe has been upgraded, and runs as process {}\n", new.0), "{said:?}");
        has_ended(&old);
        let path = format!("/proc/{}/root{}", daemon.process.0, stage.path("full/pid").display());
        assert_eq!(fs::read_to_string(path).expect("a pidfile"), content(new));
    }
    let said = disk.obey(&daemon, "stop");
    assert_eq!((said.status, said.stderr.as_str()), (0, ""));
    eventually("the end of all", || stage.processes().is_empty().then_some(()));
}

/// The new version has no log then.
#[test]
fn where_there_is_no_file_to_be_had_it_says_so_and_goes_on() {
    needs_root!();
    needs_tools!("mount", "nsenter");
    let (disk, mut daemon) = FullDisk::of("size=64k,nr_inodes=4");
    let supervisor = supervisor(&daemon);
    fs::write(disk.path.join("last"), "").expect("write");
    fs::rename(disk.path.join("log"), disk.path.join("log.1")).expect("rename");
    let said = disk.obey(&daemon, "upgrade");
    let line = format!(
        "probe: cannot upgrade process {}: cannot open stdout {}/full/log: No space left on device (os error 28)\n",
        supervisor.0,
        disk.service.stage.directory().canonicalize().expect("a path").display()
    );
    assert_eq!((said.status, said.stderr), (1, line));
    assert!(!daemon.ask("look").is_empty(), "it serves on");
    assert_eq!(Process(daemon.process.parent()), supervisor);
    fs::remove_file(disk.path.join("last")).expect("remove");
    assert_eq!(disk.obey(&daemon, "upgrade").status, 0, "then it can");
    drop(disk.service.stage.daemon());
}
