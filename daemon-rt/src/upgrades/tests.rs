use nix::unistd::getpid;

use super::{LIMIT, Last, Upgrades};

#[test]
#[cfg_attr(miri, ignore = "Miri has no memfd_create")]
fn the_last_one_is_read_from_the_descriptors_of_the_process() {
    let own = Upgrades::none().unwrap();
    let seen = Upgrades::of(getpid()).unwrap().unwrap();
    assert_eq!(seen.last().unwrap(), Last { count: 0, is_done: false });

    own.note(Some(b"it is a directory")).unwrap();
    assert_eq!(seen.last().unwrap(), Last { count: 1, is_done: false });
    assert_eq!(seen.reason().unwrap(), "it is a directory");

    own.note(None).unwrap();
    assert_eq!(seen.last().unwrap(), Last { count: 2, is_done: true });
    assert_eq!(seen.reason().unwrap(), "");

    own.note(Some(&vec![b'x'; LIMIT + 1])).unwrap();
    assert_eq!(seen.reason().unwrap().len(), LIMIT);
}
