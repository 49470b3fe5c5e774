//! What a daemon wrote to its error stream before it failed is shown to whoever started it.

use std::{
    fs,
    os::unix::fs::{FileTypeExt, MetadataExt, symlink},
};

use support::{Daemon, Launcher, Stage, Terminal, eventually};

use crate::{ARRANGE, PROBE};

/// The launcher's own line after `exit 7`.
const LINE: &str = "probe: the daemon ended before it was ready: exit status: 7\n";

/// A daemon in `main` that is not ready, and its launcher.
fn starting(stage: &Stage, options: &[&str]) -> (Launcher, Daemon) {
    let launcher = stage.start(stage.command(PROBE).arg("--notify").args(options));
    (launcher, stage.daemon())
}

/// What the launcher shows, above its own line, of a daemon that says something and fails.
fn shown(launcher: Launcher, mut daemon: Daemon) -> String {
    daemon.send("exit 7");
    let launch = launcher.end();
    assert_eq!((launch.status, launch.stdout.as_str()), (7, ""));
    launch.stderr.strip_suffix(LINE).unwrap_or_else(|| panic!("no {LINE} in {launch:?}")).to_owned()
}

#[test]
fn an_error_is_shown_and_logged() {
    for (options, log) in [
        ([].as_slice(), ""),
        (&["--stdout", "log"], "Error: \"no luck\"\n"),
        (&["--stderr", "log"], "Error: \"no luck\"\n"),
        (&["--stderr", "truncate:log"], "Error: \"no luck\"\n"),
        (&["--stdout", "log", "--stderr", "nothing"], ""),
    ] {
        let stage = Stage::new();
        let (launcher, mut daemon) = starting(&stage, options);
        daemon.send("return no luck");
        let launch = launcher.end();
        let line = "probe: the daemon ended before it was ready: exit status: 1";
        assert_eq!(launch.stderr, format!("Error: \"no luck\"\n{line}\n"), "{options:?}");
        assert_eq!(stage.read("log"), log, "{options:?}");
    }
}

#[test]
fn a_panic_is_shown_on_the_terminal_and_logged() {
    let stage = Stage::new();
    let mut terminal = Terminal::open();
    let mut command = stage.command(ARRANGE);
    command.arg("--terminal").arg(&terminal.path).args(["--", PROBE, "--notify", "--stderr", "log"]);
    let launcher = stage.start(&mut command);
    let mut daemon = stage.daemon();
    daemon.send("panic no luck");
    let shown = terminal.read_until("probe: the daemon ended before it was ready: exit status: 101");
    assert!(shown.contains("panicked at") && shown.contains("no luck"), "{shown}");
    assert_eq!(launcher.end().status, 101);
    let log = stage.read("log");
    assert!(log.contains("panicked at") && log.contains("no luck"), "{log}");
}

#[test]
fn what_was_said_before_a_timeout_is_shown() {
    for options in [[].as_slice(), &["--stderr", "log"]] {
        let stage = Stage::new();
        let (launcher, mut daemon) = starting(&stage, &[&["--start-timeout", "2000"], options].concat());
        daemon.ask("stderr waiting for the database");
        let launch = launcher.end();
        let line = "probe: the daemon was not ready within 2s: it has not called `ready`";
        assert_eq!((launch.status, launch.stderr), (1, format!("waiting for the database\n{line}\n")));
    }
}

#[test]
fn what_stood_in_the_log_before_is_not_shown() {
    let stage = Stage::new();
    fs::write(stage.path("log"), "yesterday\n").expect("write");
    let (launcher, mut daemon) = starting(&stage, &["--stderr", "log"]);
    daemon.ask("stderr today");
    assert_eq!(shown(launcher, daemon), "today\n");
    assert_eq!(stage.read("log"), "yesterday\ntoday\n");
}

#[test]
fn a_truncated_log_is_shown_from_its_beginning() {
    let stage = Stage::new();
    fs::write(stage.path("log"), "yesterday\n").expect("write");
    let (launcher, mut daemon) = starting(&stage, &["--stderr", "truncate:log"]);
    daemon.ask("stderr today");
    assert_eq!(shown(launcher, daemon), "today\n");
    assert_eq!(stage.read("log"), "today\n");
}

#[test]
fn the_last_64_kibibytes_are_shown() {
    for options in [[].as_slice(), &["--stderr", "log"]] {
        let stage = Stage::new();
        fs::write(stage.path("log"), "yesterday\n").expect("write");
        let (launcher, mut daemon) = starting(&stage, options);
        let text = (0..10_000).map(|number: u32| number.to_string()).collect::<Vec<_>>().join(" number ");
        daemon.ask(&format!("stderr {text}"));
        let said = text + "\n";
        let shown = shown(launcher, daemon);
        let shown = shown.strip_prefix("(only the last 64 KiB of standard error follow)\n").expect(&shown);
        assert_eq!(shown.len(), 64 * 1024, "{options:?}");
        assert!(said.ends_with(shown), "{options:?}");
    }
}

#[test]
fn control_characters_are_escaped() {
    for options in [[].as_slice(), &["--stderr", "log"]] {
        let stage = Stage::new();
        let (launcher, mut daemon) = starting(&stage, options);
        // Two that UTF-8 allows beyond ASCII's, a letter of two bytes, and a byte that is no UTF-8.
        daemon.send(r"exec-shell printf 'a\033[2Jb\007c\rd\302\233e\302\205f\303\266g\377h\ti\n' >&2; exit 7");
        let launch = launcher.end();
        let said = "a\\u{1b}[2Jb\\u{7}c\\rd\\u{9b}e\\u{85}f\u{f6}g\\xffh\ti\n";
        assert_eq!((launch.status, launch.stderr), (7, format!("{said}{LINE}")));
    }
}

#[test]
fn the_launchers_line_starts_a_line() {
    for options in [[].as_slice(), &["--stderr", "log"]] {
        let stage = Stage::new();
        let (launcher, mut daemon) = starting(&stage, options);
        daemon.send("exec-shell printf 'no end' >&2; exit 7");
        assert_eq!(launcher.end().stderr, format!("no end\n{LINE}"));
    }
}

#[test]
fn a_log_that_became_a_link_to_a_secret_shows_nothing_of_it() {
    let stage = Stage::new();
    fs::write(stage.path("secret"), "a secret that is longer than the log\n").expect("write");
    let (launcher, mut daemon) = starting(&stage, &["--stderr", "log"]);
    daemon.ask("stderr no luck");
    let [log, secret] = ["log", "secret"].map(|name| stage.path(name));
    assert_eq!(daemon.ask(&format!("replace-by-link {} {}", log.display(), secret.display())), "");
    assert!(stage.read("log").contains("secret"), "the link leads there");
    assert_eq!(shown(launcher, daemon), "no luck\n");
}

#[test]
fn an_inherited_stream_shows_it_once() {
    let stage = Stage::new();
    let (launcher, mut daemon) = starting(&stage, &["--stderr", "inherited"]);
    daemon.ask("stderr no luck");
    assert_eq!(shown(launcher, daemon), "no luck\n");
}

#[test]
fn a_log_that_is_the_launchers_stderr_too_says_it_once() {
    let stage = Stage::new();
    let script = "exec \"$0\" --notify --stdout log 2>>log";
    let launcher = stage.start(stage.command("sh").args(["-c", script, PROBE]));
    let mut daemon = stage.daemon();
    daemon.ask("stderr a word");
    daemon.send("exit 7");
    assert_eq!(launcher.end().status, 7);
    assert_eq!(stage.read("log"), format!("a word\n{LINE}"));
}

/// In whatever way it came to be open on it.
#[test]
fn a_stream_on_the_null_device_is_a_null_stream() {
    let stage = Stage::new();
    symlink("/dev/null", stage.path("link")).expect("link");
    for options in [
        ["--stderr", "/dev/null"],
        ["--stderr", "truncate:/dev/null"],
        ["--stderr", "file:/dev/null"],
        ["--stderr", "file:link"],
        ["--stdout", "/dev/null"],
    ] {
        let (launcher, mut daemon) = starting(&stage, &options);
        daemon.ask("stderr no luck");
        assert_eq!(shown(launcher, daemon), "no luck\n", "{options:?}");
        let (launcher, mut daemon) = starting(&stage, &options);
        daemon.ask("ready");
        assert_eq!(launcher.end().status, 0);
        assert_eq!(daemon.look().descriptors()[&2], "/dev/null", "{options:?}");
    }
}

#[test]
fn a_null_stream_is_null_from_ready_on() {
    let stage = Stage::new();
    let (launcher, mut daemon) = starting(&stage, &[]);
    assert!(daemon.sight.get("fd2").contains("memfd"), "a file stands in: {:?}", daemon.sight);
    assert_eq!(daemon.ask("stderr not ready yet"), "");
    assert_eq!(daemon.ask("ready"), "");
    let launch = launcher.end();
    assert_eq!((launch.status, launch.stderr.as_str()), (0, ""), "no news is good news");
    let sight = daemon.look();
    let descriptors = sight.descriptors();
    assert_eq!([descriptors[&0], descriptors[&1], descriptors[&2]], ["/dev/null"; 3]);
    assert!(!descriptors.values().any(|target| target.contains("memfd")), "{descriptors:?}");
    assert_eq!(descriptors.len(), 4, "these and the connection to the test: {descriptors:?}");
    assert_eq!(daemon.ask("stderr lost"), "");
}

#[test]
fn a_stream_that_the_program_replaced_stays_so() {
    let stage = Stage::new();
    let (launcher, mut daemon) = starting(&stage, &[]);
    assert_eq!(daemon.ask(&format!("replace-stderr {}", stage.path("own").display())), "");
    assert_eq!(daemon.ask("ready"), "");
    assert_eq!(launcher.end().status, 0);
    daemon.ask("stderr kept");
    assert_eq!(stage.read("own"), "kept\n");
}

/// It would fill the memory: nobody reads the file any more.
#[test]
fn a_stream_that_the_program_closed_stays_so() {
    let stage = Stage::new();
    let (launcher, mut daemon) = starting(&stage, &[]);
    assert_eq!(daemon.ask("close 2"), "");
    assert_eq!(daemon.ask("ready"), "");
    assert_eq!(launcher.end().status, 0);
    assert_eq!(daemon.look().descriptors().get(&2), None);
}

/// What it writes is lost, as in the null device, without an error that would end it.
#[test]
fn a_child_that_was_started_before_goes_on_writing_after_ready() {
    let stage = Stage::new();
    let (launcher, mut daemon) = starting(&stage, &[]);
    daemon.ask("fill-stderr 4");
    let [go, answer] = ["go", "answer"].map(|name| stage.path(name).display().to_string());
    let write = format!("LC_ALL=C cat {go} >&2 2>{answer}.new; echo $? >>{answer}.new; mv {answer}.new {answer}");
    let by_path = format!("echo by path >>/dev/stderr && {write}");
    let child: i32 = daemon
        .ask(&format!("shell until test -s {go}; do sleep 0.01; done; {by_path}; exec sleep 1000"))
        .parse()
        .expect("a process id");
    assert_eq!(daemon.ask("ready"), "");
    assert_eq!(launcher.end().status, 0);
    let held = || fs::metadata(format!("/proc/{child}/fd/2")).expect("its stream");
    assert_eq!((held().len(), held().blocks()), (0, 0), "what was written before takes memory");
    fs::write(stage.path("go"), "more\n").expect("write");
    eventually("the child's answer", || stage.path("answer").exists().then_some(()));
    assert_eq!(stage.read("answer"), "0\n");
    assert!(!held().file_type().is_char_device(), "it writes to what stood in");
    assert_eq!(daemon.look().descriptors()[&2], "/dev/null");
}
