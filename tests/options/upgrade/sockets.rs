//! What `setup` bound is handed over, of whatever kind and however much.

use support::{Daemon, eventually, is_root};

use super::{Service, descriptors, has_ended, supervisor};

/// What those numbers of `setup` are open on.
fn targets(daemon: &Daemon, numbers: impl Iterator<Item = usize>) -> Vec<String> {
    let open = daemon.sight.descriptors();
    numbers.map(|number| open[&i32::try_from(number).expect("a number")].to_owned()).collect()
}

const BOUND: [&str; 8] = ["tcp", "tcp-bound", "tcp6", "udp", "udp6", "stream", "seqpacket", "dgram"];

#[test]
fn each_kind() {
    let others: &[_] = if is_root() { &["raw@20"] } else { &[] };
    let others = ["unbound@21", "unbound-udp@22", "netlink@23"].iter().chain(others);
    let service = Service::new();
    let words: Vec<_> = (40..).zip(BOUND).map(|(number, kind)| format!("{kind}@{number}")).collect();
    let bound = words.iter().flat_map(|word| ["--socket", word]);
    let options: Vec<_> = bound.chain(others.flat_map(|word| ["--other-socket", word])).collect();
    let mut daemon = service.started(&options);
    let bound = targets(&daemon, 40..40 + BOUND.len());
    for _ in 0..3 {
        let unbound = daemon.sight.descriptors().into_values().filter(|target| target.starts_with("socket:")).count();
        let old = daemon;
        daemon = service.upgraded();
        has_ended(&old);
        assert_eq!(targets(&daemon, 3..3 + BOUND.len()), bound, "in the same order");
        let now = daemon.sight.descriptors().into_values().filter(|target| target.starts_with("socket:")).count();
        assert_eq!(now, unbound);
    }
}

/// What the library opens has lower numbers than they have, and higher ones than they are going to have.
#[test]
fn as_many_as_there_are() {
    for (kind, number) in [("udp", 3), ("udp", 60)] {
        let service = Service::new();
        let words: Vec<_> = (number..number + 30).map(|number| format!("{kind}@{number}")).collect();
        let options: Vec<_> = words.iter().flat_map(|word| ["--socket", word]).collect();
        let mut old = service.started(&options);
        let bound: Vec<_> = old
            .sight
            .descriptors()
            .into_values()
            .filter(|target| target.starts_with("socket:"))
            .map(str::to_owned)
            .collect();
        service.install_script("#!/bin/sh\necho the reason >&2; exit 3");
        assert_eq!(service.refusal(&mut old), "the reason");
        service.install(crate::PROBE);
        let new = service.upgraded();
        let passed: Vec<_> = targets(&new, 3..33);
        assert!(passed.iter().all(|socket| bound.contains(socket)), "{passed:?} {bound:?}");
    }
}

/// Each is passed once: otherwise there would be twice as many each time.
#[test]
fn a_socket_with_two_descriptors() {
    let service = Service::new();
    let mut daemon = service.started(&["--socket", "tcp@3", "--socket", "udp@3", "--clone-sockets"]);
    let own = descriptors(daemon.process);
    for _ in 0..3 {
        let old = daemon;
        daemon = service.upgraded();
        has_ended(&old);
        eventually("as many descriptors", || (descriptors(daemon.process) == own).then_some(()));
        supervisor(&daemon);
    }
}
