//! Options whose values or names are checked.

use super::{expanded, normal};
use crate::edit_distance::edit_distance;

#[test]
fn octal_numbers() {
    for good in ["0", "7", "007", "0o022", "0o0_22u32", "0x12", "0b11", "0o777"] {
        let seen = expanded(&format!("umask = {good}"), "fn main() {}");
        assert!(!seen.contains("compile_error"), "{good}: {seen}");
    }
    for bad in ["8", "010", "022", "22_u32", "0o1000", "0x200", "99999999999999999999", "-1", "\"022\""] {
        let seen = expanded(&format!("umask = {bad}"), "fn main() {}");
        assert!(seen.contains("compile_error") && !seen.contains("umask ("), "{bad}: {seen}");
    }
}

#[test]
fn umasks_in_quotes() {
    for (text, meant) in [
        ("022", Some("0o022")),
        ("0o22", Some("0o22")),
        ("22", Some("0o22")),
        ("1000", None),
        ("8", None),
        ("+7", None),
        ("0o+7", None),
        ("-7", None),
        ("", None),
        ("0o", None),
        ("rwx", None),
    ] {
        let seen = expanded(&format!("umask = {text:?}"), "fn main() {}");
        let expected = match meant {
            Some(meant) => format!("`umask` takes a number; did you mean `{meant}`?"),
            None => "`umask` takes an octal number, e.g. `umask = 0o027`".to_owned(),
        };
        assert!(seen.contains(&expected), "{text}: {seen}");
    }
}

#[test]
fn names_of_accounts() {
    for good in ["USER", "BASE - OFFSET", "base() - offset", "www - 1", "a.b - c", "a - b + c"] {
        let seen = expanded(&format!("group = {good}"), "fn main() {}");
        assert!(!seen.contains("compile_error"), "{good}: {seen}");
    }
    for bad in ["www-data", "systemd-journal-upload"] {
        let seen = expanded(&format!("group = {bad}"), "fn main() {}");
        assert!(seen.contains(&format!("put the name in quotes: `group = \\\"{bad}\\\"`")), "{bad}: {seen}");
    }
}

#[test]
fn streams_of_the_launcher() {
    for good in
        ["/dev/fd", "/dev/fd/log", "/dev/fd/3/log", "/proc/self/fd/log", "/proc/log/fd/3", "/dev/null", "stdout"]
    {
        let seen = expanded(&format!("stdout = {good:?}"), "fn main() {}");
        assert!(!seen.contains("compile_error"), "{good}: {seen}");
    }
    for bad in ["/dev/stdin", "/dev/fd/3", "/proc/self/fd/1", "/proc/thread-self/fd/1", "/proc/12/fd/34"] {
        let seen = expanded(&format!("stdout = {bad:?}"), "fn main() {}");
        assert!(seen.contains("names a stream of the launcher"), "{bad}: {seen}");
    }
}

#[test]
fn numbers_for_ready_fd() {
    for good in ["3", "0x10", "99999999999999999999"] {
        let seen = expanded(&format!("ready_fd = {good}"), "fn main() {}");
        assert!(!seen.contains("compile_error"), "{good}: {seen}");
    }
    for bad in ["2", "0", "-1"] {
        let seen = expanded(&format!("ready_fd = {bad}"), "fn main() {}");
        assert!(seen.contains("must be 3 or more"), "{bad}: {seen}");
    }
}

#[test]
fn functions_for_setup() {
    for good in ["f", "a::f::<B, C>", "f(1)", "f[]", "f::<{ 1 }>()", "a.f()", "|daemon| f()", "(f)()", "()"] {
        let seen = expanded(&format!("setup = {good}"), "fn main() {}");
        assert!(!seen.contains("compile_error"), "{good}: {seen}");
    }
    for bad in ["f()", "a::f::<B, C>()", "\"f\"", "1"] {
        let seen = expanded(&format!("setup = {bad}"), "fn main() {}");
        assert!(seen.contains("compile_error"), "{bad}: {seen}");
    }
}

#[test]
fn paths_of_the_crate() {
    for good in ["::daemon_rt", "a", "crate", "self::a", "super::a::b", "r#fn::a"] {
        let seen = expanded(&format!("crate = {good}"), "fn main() {}");
        assert!(seen.contains(&normal(&format!("(&mut {good}::Daemon::new()).run(main)"))), "{good}: {seen}");
    }
    for bad in ["a b", "a::", "::", "_", "1", "fn::a", "a::<b>", "a()"] {
        let seen = expanded(&format!("crate = {bad}"), "fn main() {}");
        assert!(seen.contains("compile_error") && !seen.contains("Daemon"), "{bad}: {seen}");
    }
}

#[test]
fn question_marks() {
    for good in ["f(a?)", "|a| a?", "[a?]", "async { a? }"] {
        let seen = expanded(&format!("stdin = {good}"), "fn main() {}");
        assert!(!seen.contains("compile_error"), "{good}: {seen}");
    }
    for bad in ["a?", "a?.b(|c| c)", "if a? { b } else { c }"] {
        let seen = expanded(&format!("stdin = {bad}"), "fn main() {}");
        assert!(seen.contains("compile_error") && !seen.contains("stdin ("), "{bad}: {seen}");
    }
}

#[test]
fn hyphens_in_names() {
    for (written, meant) in [
        ("start-timeout = 3", "start_timeout"),
        ("no-new-privs, notify", "no_new_privs"),
        ("working-directory = \"/\"", "chdir"),
    ] {
        let seen = expanded(written, "fn main() {}");
        let name = written.split([' ', ',']).next().unwrap();
        assert!(seen.contains(&format!("unknown option `{name}`; did you mean `{meant}`?")), "{seen}");
        assert_eq!(seen.matches("compile_error").count(), 1, "{seen}");
    }
}

#[test]
fn two_transposed_letters_are_one_slip() {
    for (slip, meant) in [("umaks", "umask"), ("anme", "name"), ("stdotu", "stdout"), ("kepe_fds", "keep_fds")] {
        let seen = expanded(&format!("{slip} = 1"), "fn main() {}");
        assert!(seen.contains(&format!("unknown option `{slip}`; did you mean `{meant}`?")), "{seen}");
    }
}

#[test]
fn two_swapped_letters_are_one_slip() {
    for (from, to, slips) in
        [("umaks", "umask", 1), ("umask", "umask", 0), ("", "umask", 5), ("mask", "umask", 1), ("stdot", "stdout", 1)]
    {
        assert_eq!(edit_distance(from, to), slips, "{from} {to}");
        assert_eq!(edit_distance(to, from), slips, "{to} {from}");
    }
}
