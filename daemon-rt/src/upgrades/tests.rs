use std::{os::unix::fs::FileExt, str};

use nix::unistd::getpid;

use super::{HEADER, LIMIT, Last, Upgrades};

#[test]
#[cfg_attr(miri, ignore = "Miri has no memfd_create")]
fn the_last_one_is_read_from_the_descriptors_of_the_process() {
    let own = Upgrades::none().unwrap();
    let seen = Upgrades::of(getpid()).unwrap().unwrap();
    assert_eq!(seen.last().unwrap(), Last { count: 0, is_done: false, has_begun_another: false });

    own.note(Some(b"it is a directory")).unwrap();
    assert_eq!(seen.last().unwrap(), Last { count: 1, is_done: false, has_begun_another: false });
    assert_eq!(seen.reason().unwrap(), "it is a directory");

    own.note(None).unwrap();
    assert_eq!(seen.last().unwrap(), Last { count: 2, is_done: true, has_begun_another: false });
    assert_eq!(seen.reason().unwrap(), "");

    own.note(Some(&vec![b'x'; LIMIT + 1])).unwrap();
    assert_eq!(seen.reason().unwrap().len(), LIMIT);
}

/// For versions that read the first two words alone.
#[test]
#[cfg_attr(miri, ignore = "Miri has no memfd_create")]
fn another_one_that_has_begun_changes_neither_count_nor_result() {
    let upgrades = Upgrades::none().unwrap();
    for (failure, words) in [(None, "1 done"), (Some(&b"no luck"[..]), "2 failed")] {
        upgrades.note(failure).unwrap();
        let ended = upgrades.last().unwrap();
        upgrades.note_beginning().unwrap();
        assert_eq!(upgrades.last().unwrap(), Last { has_begun_another: true, ..ended });
        let mut header = [0; HEADER];
        upgrades.0.read_exact_at(&mut header, 0).unwrap();
        assert_eq!(str::from_utf8(&header).unwrap().trim_end(), format!("{words} begun"));
    }
    assert_eq!(upgrades.reason().unwrap(), "no luck", "whoever asked for that one may read it still");
    let longest = Last { count: u32::MAX, is_done: false, has_begun_another: true };
    upgrades.write(longest).unwrap();
    assert_eq!(upgrades.last().unwrap(), longest);
}

#[test]
#[cfg(any(target_os = "linux", target_os = "android"))]
#[cfg_attr(miri, ignore = "Miri has no memfd_create")]
fn without_room_for_the_reason_the_end_is_noted() {
    use nix::{
        fcntl::{FcntlArg, SealFlag, fcntl},
        sys::memfd::{MFdFlags, memfd_create},
    };
    let upgrades = Upgrades(memfd_create(c"upgrades", MFdFlags::MFD_ALLOW_SEALING).unwrap().into());
    upgrades.write(Last { count: 4, is_done: true, has_begun_another: true }).unwrap();
    fcntl(&upgrades.0, FcntlArg::F_ADD_SEALS(SealFlag::F_SEAL_GROW)).unwrap();
    upgrades.note(Some(b"no luck")).unwrap_err();
    assert_eq!(upgrades.last().unwrap(), Last { count: 5, is_done: false, has_begun_another: false });
}
