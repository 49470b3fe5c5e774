//! Where the system has nothing left, and where there are many upgrades.

use std::{fs, os::unix::fs::FileExt};

use support::{DEADLINE, Process, eventually};

use super::{Service, descriptors, has_ended, supervisor};
use crate::PROBE;

/// Pages of its own, proc(5).
fn pages(process: Process) -> usize {
    let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", process.0)).expect("its memory");
    let line = rollup.lines().find_map(|line| line.strip_prefix("Private_Dirty:")).expect("a line");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

fn times() -> usize {
    std::env::var("UPGRADES").ok().and_then(|times| times.parse().ok()).unwrap_or(30)
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
    let (first, last) = (seen[1], seen[seen.len() - 1]);
    assert_eq!((first.0, first.1), (last.0, last.1), "{seen:?}");
    assert!(last.2 <= first.2 + first.2 / 10, "{seen:?}");
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
    let mut daemon = service.stage.started(command.env("SECRET", SECRET.repeat(9)));
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
    assert!(reasons.iter().all(|reason| reason.contains("Too many open files")), "{reasons:#?}");
}

fn limit_descriptors(process: Process, limit: usize) {
    let status = std::process::Command::new("prlimit")
        .args([format!("--pid={}", process.0), format!("--nofile={limit}:1024")])
        .status()
        .expect("start prlimit");
    assert!(status.success());
}
