use std::sync::atomic::Ordering::Relaxed;

use nix::{
    libc,
    sys::wait::{WaitStatus, waitpid},
    unistd::{ForkResult, fork},
};

use super::wiped_on_fork;

#[test]
#[cfg_attr(miri, ignore = "Miri has no MADV_WIPEONFORK")]
fn a_forked_process_finds_nothing_and_has_one_of_its_own() {
    let Ok(word) = wiped_on_fork() else { return };
    assert_eq!(word.swap(7, Relaxed), 0);
    // SAFETY: the child reads and writes memory, and leaves by `_exit`: all of that is async-signal-safe.
    let child = match unsafe { fork() }.expect("fork") {
        ForkResult::Child => {
            let found = word.swap(9, Relaxed);
            // SAFETY: has no preconditions.
            unsafe { libc::_exit(found) }
        }
        ForkResult::Parent { child } => child,
    };
    assert_eq!(waitpid(child, None), Ok(WaitStatus::Exited(child, 0)));
    assert_eq!(word.load(Relaxed), 7);
}

#[test]
#[cfg_attr(miri, ignore = "Miri has no MADV_WIPEONFORK")]
fn each_call_has_a_word_of_its_own() {
    let (Ok(one), Ok(other)) = (wiped_on_fork(), wiped_on_fork()) else { return };
    one.store(1, Relaxed);
    assert_eq!(other.load(Relaxed), 0);
}
