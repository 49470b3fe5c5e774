//! The standard streams of a daemon.

use std::{
    fs::{self, File, Permissions},
    os::unix::fs::{MetadataExt, PermissionsExt},
};

use nix::{sys::stat::Mode, unistd::mkfifo};
use support::{Daemon, Stage, needs_root};

use crate::{ARRANGE, PROBE};

/// A daemon that was started with these options, and started well.
fn daemon(stage: &Stage, options: &[&str]) -> Daemon {
    stage.started(stage.command(PROBE).args(options))
}

#[test]
fn output_is_appended_and_stderr_follows_stdout() {
    let stage = Stage::new();
    fs::write(stage.path("log"), "before\n").expect("write");
    let mut daemon = daemon(&stage, &["--stdout", "log"]);
    daemon.ask("stdout one");
    daemon.ask("stderr two");
    daemon.ask("stdout three");
    assert_eq!(stage.read("log"), "before\none\ntwo\nthree\n");
}

#[test]
fn a_stream_of_its_own_for_errors() {
    let stage = Stage::new();
    let mut daemon = daemon(&stage, &["--stdout", "out", "--stderr", "err"]);
    daemon.ask("stdout one");
    daemon.ask("stderr two");
    assert_eq!((stage.read("out"), stage.read("err")), ("one\n".into(), "two\n".into()));
}

#[test]
fn two_streams_on_one_path_do_not_overwrite_each_other() {
    for options in [["log", "log"], ["truncate:log", "truncate:log"], ["truncate:log", "log"], ["log", "truncate:log"]]
    {
        let stage = Stage::new();
        let mut daemon = daemon(&stage, &["--stdout", options[0], "--stderr", options[1]]);
        for word in ["stdout one", "stderr two", "stdout three", "stderr four"] {
            daemon.ask(word);
        }
        assert_eq!(stage.read("log"), "one\ntwo\nthree\nfour\n", "{options:?}");
    }
}

#[test]
fn input_of_the_launchers() {
    let stage = Stage::new();
    fs::write(stage.path("in"), "words").expect("write");
    let mut command = stage.command(PROBE);
    command.args(["--stdin", "inherited"]).stdin(File::open(stage.path("in")).expect("open"));
    assert_eq!(stage.started(&mut command).ask("stdin"), "words");
}

#[test]
fn input_from_an_open_file() {
    let stage = Stage::new();
    fs::write(stage.path("in"), "words").expect("write");
    assert_eq!(daemon(&stage, &["--stdin", "file:in"]).ask("stdin"), "words");
}

#[test]
fn errors_are_inherited_with_the_output() {
    let stage = Stage::new();
    let (output, errors) = (stage.create("out"), stage.create("err"));
    let mut command = stage.command(ARRANGE);
    command.args(["--", PROBE, "--stdout", "inherited"]).stdout(output).stderr(errors);
    assert!(command.status().expect("start").success());
    let mut daemon = stage.daemon();
    daemon.ask("stdout one");
    daemon.ask("stderr two");
    assert_eq!((stage.read("out"), stage.read("err")), ("one\n".into(), "two\n".into()));
}

/// Each is open under the other's number.
#[test]
fn streams_that_change_places() {
    let stage = Stage::new();
    let (output, errors) = (stage.create("out"), stage.create("err"));
    let mut command = stage.command(PROBE);
    command.args(["--stdout", "number:2", "--stderr", "number:1"]).stdout(output).stderr(errors);
    assert!(command.status().expect("start").success());
    let mut daemon = stage.daemon();
    daemon.ask("stdout one");
    daemon.ask("stderr two");
    assert_eq!((stage.read("out"), stage.read("err")), ("two\n".into(), "one\n".into()));
    assert_eq!(daemon.sight.descriptors().len(), 3);
}

/// The launcher must not close it: its own line is still to be written there.
#[test]
fn the_launcher_keeps_a_stream_that_it_gives_away() {
    let stage = Stage::new();
    let start = stage.start(stage.command(PROBE).args(["--stdout", "number:2", "--notify"]));
    let mut daemon = stage.daemon();
    daemon.send("exit 3");
    let launch = start.end();
    let line = "probe: the daemon ended before it was ready: exit status: 3\n";
    assert_eq!((launch.status, launch.stderr.as_str()), (3, line));
}

#[test]
fn a_truncated_file_starts_anew() {
    let stage = Stage::new();
    fs::write(stage.path("log"), "before\n").expect("write");
    let mut daemon = daemon(&stage, &["--stdout", "truncate:log"]);
    daemon.ask("stdout one");
    assert_eq!(stage.read("log"), "one\n");
}

#[test]
fn what_is_no_file_needs_no_truncation() {
    let stage = Stage::new();
    let daemon = daemon(&stage, &["--stdout", "truncate:/dev/null"]);
    assert_eq!(daemon.sight.descriptors()[&1], "/dev/null");
}

#[test]
fn a_created_file_is_0640_whatever_the_umask() {
    for umask in ["000", "777", "027"] {
        let stage = Stage::new();
        let script = format!("umask {umask}; exec \"$0\" --stdout log --umask {umask}");
        assert_eq!(stage.launch(stage.command("sh").args(["-c", &script, PROBE])).status, 0);
        let _daemon = stage.daemon();
        assert_eq!(stage.path("log").metadata().expect("the log").mode() & 0o7777, 0o640, "umask {umask}");
    }
}

#[test]
fn an_existing_file_keeps_its_mode() {
    let stage = Stage::new();
    File::create(stage.path("log")).and_then(|log| log.set_permissions(Permissions::from_mode(0o604))).expect("a log");
    let _daemon = daemon(&stage, &["--stdout", "log"]);
    assert_eq!(stage.path("log").metadata().expect("the log").mode() & 0o7777, 0o604);
}

#[test]
fn a_relative_path_starts_from_the_launch_directory() {
    let stage = Stage::new();
    stage.create_directory("elsewhere");
    let mut daemon = daemon(&stage, &["--go-to", "elsewhere", "--stdout", "./out.log"]);
    daemon.ask("stdout one");
    assert_eq!(stage.read("out.log"), "one\n");
}

#[test]
fn input_is_read_from_a_path() {
    let stage = Stage::new();
    fs::write(stage.path("in"), "words").expect("write");
    let mut daemon = daemon(&stage, &["--stdin", "in"]);
    assert_eq!(daemon.ask("stdin"), "words");
}

#[test]
fn an_open_file_becomes_a_stream() {
    let stage = Stage::new();
    let mut daemon = daemon(&stage, &["--stdout", "file:out"]);
    daemon.ask("stdout one");
    daemon.ask("stderr two");
    assert_eq!(stage.read("out"), "one\ntwo\n");
    assert_eq!(daemon.look().descriptors().len(), 4, "0, 1, 2 and the connection: {:?}", daemon.look());
}

#[test]
fn an_inherited_stream_stays_the_launchers() {
    let stage = Stage::new();
    let mut launcher = stage.command(PROBE);
    launcher.args(["--stdout", "inherited", "--stderr", "nothing"]).stdout(stage.create("out"));
    assert!(launcher.status().expect("start").success());
    let mut daemon = stage.daemon();
    daemon.ask("stdout one");
    daemon.ask("stderr two");
    assert_eq!(stage.read("out"), "one\n");
}

#[test]
fn a_fifo_with_a_reader_takes_the_log() {
    let stage = Stage::new();
    mkfifo(&stage.path("fifo"), Mode::S_IRWXU).expect("create a FIFO");
    let reader = File::options().read(true).write(true).open(stage.path("fifo")).expect("a reader");
    let mut daemon = daemon(&stage, &["--stdout", "fifo"]);
    daemon.ask("stdout one");
    let mut bytes = [0; 4];
    std::io::Read::read_exact(&mut &reader, &mut bytes).expect("read");
    assert_eq!(&bytes, b"one\n");
}

#[test]
fn unflushed_output_appears_exactly_once() {
    for print in ["--print", "--printf"] {
        let stage = Stage::new();
        let launch = stage.launch(stage.command(PROBE).args([print, "no line", "--stdout", "log"]));
        assert_eq!((launch.status, launch.stdout.as_str()), (0, "no line"), "{print}");
        let mut daemon = stage.daemon();
        daemon.ask("stdout one");
        daemon.send("return");
        daemon.wait();
        assert_eq!(stage.read("log"), "one\n", "{print}");
    }
}

#[test]
fn a_file_of_somebody_elses_with_a_second_link_is_refused() {
    needs_root!();
    let stage = Stage::new();
    fs::write(stage.path("theirs"), "secret\n").expect("write");
    std::os::unix::fs::chown(stage.path("theirs"), Some(65534), None).expect("give it away");
    fs::hard_link(stage.path("theirs"), stage.path("log")).expect("link");
    let launch = stage.launch(stage.command(PROBE).args(["--stdout", "log"]));
    let path = stage.path("log");
    let error = "it has a second hard link and belongs to another user";
    assert_eq!((launch.status, launch.stderr), (1, format!("probe: cannot open stdout {}: {error}\n", path.display())));
    assert_eq!(stage.read("theirs"), "secret\n");
}
