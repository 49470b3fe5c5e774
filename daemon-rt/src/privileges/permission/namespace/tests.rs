use std::fmt::Write;

use super::{has_one_ordinary_user, is_in};
use crate::random::{cases, number, text};

/// As the kernel writes it, `user_namespaces(7)`: up to 340 ranges, the last of which ends at the highest id.
#[test]
fn an_id_is_mapped_if_a_range_has_it() {
    for mut rng in cases() {
        let mut map = String::new();
        let mut edges = Vec::new();
        for _ in 0..rng.usize(..5) {
            let first = u32::try_from(number(&mut rng)).unwrap_or(0);
            let count = u32::try_from(number(&mut rng)).unwrap_or(1).min(u32::MAX - first);
            writeln!(map, "{first:10} {:10} {count:10}", rng.u32(..)).unwrap();
            edges.push((first, first + count));
        }
        let ids = edges.iter().flat_map(|&(first, end)| [first.wrapping_sub(1), first, end.wrapping_sub(1), end]);
        for id in ids.chain([0, u32::MAX]) {
            let expected = edges.iter().any(|&(first, end)| first <= id && id < end);
            assert_eq!(is_in(&map, id), expected, "{id} in\n{map}");
        }
    }
}

#[test]
fn root_is_an_ordinary_user_where_one_id_is_mapped_that_is_not_roots() {
    let one = "         0       1000          1\n";
    assert!(has_one_ordinary_user(one));
    for other in [
        "         0          0          1\n", // root of the machine, or of the enclosing namespace
        "         0          0 4294967295\n",
        "         0     100000      65536\n",
        &format!("{one}         1     100000      65536\n"),
        &one.repeat(2),
        "",
        "0 1000",
        "0 x 1",
    ] {
        assert!(!has_one_ordinary_user(other), "{other}");
    }
}

#[test]
fn what_is_no_map_has_no_id_but_does_no_harm() {
    for mut rng in cases() {
        let lines = text(&mut rng, b"0123456789   \t\n-+x", 60);
        let map = String::from_utf8(lines).unwrap();
        let numbers: Vec<_> = map.split_whitespace().map(str::parse::<u32>).collect();
        let _ = is_in(&map, rng.u32(..));
        if numbers.iter().all(Result::is_err) {
            assert!(!is_in(&map, 0), "{map}");
        }
    }
}
