use std::{
    fs::File,
    process::Command,
    time::{Duration, Instant},
};

use nix::{
    libc::{SIGHUP, SIGKILL, SIGSTOP},
    unistd::Pid,
};

use super::{Process, is_default};
use crate::random::{cases, text};

/// The lines that count, proc(5), between others in the kernel's order.
fn status(name: &str, [blocked, ignored, caught]: [u64; 3]) -> String {
    format!(
        "Name:\t{name}\nState:\tS (sleeping)\nSigPnd:\tffffffffffffffff\nShdPnd:\tffffffffffffffff\n\
         SigBlk:\t{blocked:016x}\nSigIgn:\t{ignored:016x}\nSigCgt:\t{caught:016x}\nCapInh:\t0000000000000000\n"
    )
}

#[test]
fn the_default_action_is_taken_unless_one_of_three_sets_has_the_signal() {
    for mut rng in cases() {
        let signal = rng.i32(1..=64);
        let bit = 1 << (signal - 1);
        let others = [(); 3].map(|()| rng.u64(..) & !bit);
        // A newline in a name is written as `\n`.
        let name = if rng.bool() { "clockd" } else { "SigCgt:\\nSigCgt:\\t0" };
        assert!(is_default(signal, &status(name, others)), "{signal} {others:x?}");
        let mut sets = others;
        sets[rng.usize(..3)] |= bit;
        assert!(!is_default(signal, &status(name, sets)), "{signal} {sets:x?}");
    }
}

#[test]
fn a_set_that_is_not_shown_may_have_the_signal() {
    let whole = status("clockd", [0; 3]);
    assert!(is_default(SIGHUP, &whole));
    for missing in ["SigBlk", "SigIgn", "SigCgt"] {
        let lines: Vec<_> = whole.lines().filter(|line| !line.starts_with(missing)).collect();
        assert!(!is_default(SIGHUP, &lines.join("\n")), "{missing}");
    }
    for mut rng in cases() {
        let text = String::from_utf8(text(&mut rng, b"SigCgt:Ign Blk\n\t0123456789abcdefg", 80)).unwrap();
        assert!(!is_default(SIGHUP, &text), "{text}");
    }
}

/// As on kernels without pidfds.
#[test]
#[cfg_attr(miri, ignore = "Miri has no posix_spawn")]
fn without_a_pidfd_a_process_is_known_by_its_number() {
    let mut sleep = Command::new("sleep").arg("1000").spawn().unwrap();
    let process = Process { pid: Pid::from_raw(sleep.id().try_into().unwrap()), pidfd: None };
    process.signal(SIGSTOP).unwrap();
    assert!(process.exists());
    let start = Instant::now();
    assert!(!process.wait(Duration::from_millis(50)).unwrap());
    assert!(start.elapsed() >= Duration::from_millis(50));
    process.signal(SIGKILL).unwrap();
    sleep.wait().unwrap(); // until then it is there
    assert!(!process.exists());
    assert!(process.wait(Duration::MAX).unwrap());
    assert!(process.signal(SIGKILL).is_err());
}

#[test]
#[cfg_attr(miri, ignore = "Miri has no posix_spawn")]
fn a_process_that_has_just_ended_ends_its_start_in_time() {
    let mut sleep = Command::new("sleep").arg("1000").spawn().unwrap();
    let process = Process::open(Pid::from_raw(sleep.id().try_into().unwrap())).unwrap().unwrap();
    let file = File::open("/dev/null").unwrap();
    assert!(!process.ends_its_start_within(Duration::ZERO, &file));
    sleep.kill().unwrap();
    sleep.wait().unwrap();
    assert!(process.ends_its_start_within(Duration::ZERO, &file));
}
