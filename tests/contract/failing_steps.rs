//! Every step that can fail: one line says which program, which step, which object and why, and nothing is left.

use std::{
    fs,
    os::unix::{fs::symlink, process::CommandExt},
};

use nix::{
    sys::stat::Mode,
    unistd::{mkdir, mkfifo},
};
use support::{Stage, needs_ordinary_user};

use crate::PROBE;

/// A start with these options fails and says this. `{}` stands for the launch directory.
fn refused(stage: &Stage, options: &[&str], line: &str) {
    stage.refuses(stage.command(PROBE).args(options), &format!("probe: {line}"));
}

#[test]
fn a_log_in_a_missing_directory() {
    let stage = Stage::new();
    for stream in ["stdout", "stderr"] {
        let line = format!("cannot open {stream} {{}}/missing/log: there is no directory {{}}/missing");
        refused(&stage, &[&format!("--{stream}"), "missing/log"], &line);
    }
}

#[test]
fn a_log_in_a_file() {
    let stage = Stage::new();
    fs::write(stage.path("file"), "").expect("write");
    refused(&stage, &["--stdout", "file/log"], "cannot open stdout {}/file/log: {}/file is not a directory");
}

#[test]
fn a_log_in_a_read_only_directory() {
    needs_ordinary_user!();
    let stage = Stage::new();
    directory_with_mode(&stage, "read-only", Mode::from_bits_truncate(0o555));
    let line = "cannot open stdout {}/read-only/log: Permission denied (os error 13)";
    refused(&stage, &["--stdout", "read-only/log"], line);
    assert_eq!(fs::read_dir(stage.path("read-only")).expect("read").count(), 0);
}

#[test]
fn a_log_that_may_not_be_written() {
    needs_ordinary_user!();
    let stage = Stage::new();
    fs::write(stage.path("log"), "old\n").expect("write");
    let mut permissions = fs::metadata(stage.path("log")).expect("look").permissions();
    permissions.set_readonly(true);
    fs::set_permissions(stage.path("log"), permissions).expect("change the mode");
    refused(&stage, &["--stdout", "log"], "cannot open stdout {}/log: Permission denied (os error 13)");
}

/// Nobody creates anything there, root included.
#[test]
fn a_log_where_nothing_can_be_created() {
    let stage = Stage::new();
    let line = "cannot open stdout /proc/self/log: No such file or directory (os error 2)";
    refused(&stage, &["--stdout", "/proc/self/log"], line);
}

/// The system has the same number for it as for a FIFO that nobody reads.
#[test]
fn a_socket_as_log() {
    let stage = Stage::new();
    let line = "cannot open stdout {}/probe.socket: No such device or address (os error 6)";
    refused(&stage, &["--stdout", "probe.socket"], line);
}

#[test]
fn an_input_to_truncate() {
    let stage = Stage::new();
    let why = "`stdin` is only read, and cannot be truncated: give it the path, without `Stdio::truncate`";
    refused(&stage, &["--stdin", "truncate:log"], why);
}

/// Only of a stream is it a mistake.
#[test]
fn directories_that_are_named_as_constructors() {
    let stage = Stage::new();
    for name in ["null", "inherit", "-"] {
        let line = format!("cannot change directory to {{}}/{name}: No such file or directory (os error 2)");
        refused(&stage, &["--chdir", name], &line);
    }
}

#[test]
fn a_directory_as_log() {
    let stage = Stage::new();
    stage.create_directory("directory");
    refused(&stage, &["--stdout", "directory"], "cannot open stdout {}/directory: Is a directory (os error 21)");
}

#[test]
fn a_symbolic_link_as_log() {
    let stage = Stage::new();
    fs::write(stage.path("target"), "old\n").expect("write");
    symlink("target", stage.path("link")).expect("link");
    for (stream, value) in [("stdin", "link"), ("stdout", "link"), ("stdout", "truncate:link"), ("stderr", "link")] {
        let line = format!("cannot open {stream} {{}}/link: it is a symbolic link; name its target, {{}}/target");
        refused(&stage, &[&format!("--{stream}"), value], &line);
    }
    assert_eq!(stage.read("target"), "old\n");
}

#[test]
fn a_symbolic_link_that_leads_nowhere_as_log() {
    let stage = Stage::new();
    symlink(stage.directory().canonicalize().expect("a path").join("nowhere"), stage.path("link")).expect("link");
    let line = "cannot open stdout {}/link: it is a symbolic link; name its target, {}/nowhere";
    refused(&stage, &["--stdout", "link"], line);
}

/// A relative target starts from the link's directory, not from the launch directory.
#[test]
fn a_symbolic_link_from_elsewhere_that_leads_nowhere_as_log() {
    let stage = Stage::new();
    stage.create_directory("logs");
    symlink("nowhere", stage.path("logs/link")).expect("link");
    let line = "cannot open stdout {}/logs/link: it is a symbolic link; name its target, {}/logs/nowhere";
    refused(&stage, &["--stdout", "logs/link"], line);
}

#[test]
fn a_path_cannot_type_into_the_terminal() {
    let line = "cannot open stdout {}/missing/\\u{1b}[2J: there is no directory {}/missing";
    refused(&Stage::new(), &["--stdout", "missing/\x1b[2J"], line);
}

#[test]
fn a_fifo_without_a_reader_as_log() {
    let stage = Stage::new();
    mkfifo(&stage.path("fifo"), Mode::S_IRWXU).expect("create a FIFO");
    let line = "cannot open stdout {}/fifo: no process has this FIFO open for reading";
    refused(&stage, &["--stdout", "fifo"], line);
}

#[test]
fn an_input_that_is_missing() {
    let stage = Stage::new();
    let line = "cannot open stdin {}/missing: No such file or directory (os error 2)";
    refused(&stage, &["--stdin", "missing"], line);
}

#[test]
fn a_directory_as_input() {
    let stage = Stage::new();
    refused(&stage, &["--stdin", "."], "cannot open stdin {}: is a directory");
}

#[test]
fn what_was_created_or_to_be_truncated_before_the_failure() {
    let stage = Stage::new();
    let line = "cannot open stderr {}/missing/log: there is no directory {}/missing";
    refused(&stage, &["--stdout", "new", "--stderr", "missing/log"], line);
    fs::write(stage.path("old"), "old\n").expect("write");
    refused(&stage, &["--stdout", "truncate:old", "--stderr", "missing/log"], line);
    assert_eq!(stage.read("old"), "old\n");
}

#[test]
fn a_directory_to_change_to() {
    let stage = Stage::new();
    fs::write(stage.path("file"), "").expect("write");
    let missing = "cannot change directory to {}/missing: No such file or directory (os error 2)";
    refused(&stage, &["--chdir", "missing", "--stdout", "new"], missing);
    refused(
        &stage,
        &["--chdir", "file", "--stdout", "new"],
        "cannot change directory to {}/file: Not a directory (os error 20)",
    );
    fs::write(stage.path("old"), "old\n").expect("write");
    refused(&stage, &["--chdir", "missing", "--stdout", "truncate:old"], missing);
    assert_eq!(stage.read("old"), "old\n");
}

#[test]
fn a_directory_that_may_not_be_entered() {
    needs_ordinary_user!();
    let stage = Stage::new();
    directory_with_mode(&stage, "closed", Mode::from_bits_truncate(0o600));
    refused(&stage, &["--chdir", "closed"], "cannot change directory to {}/closed: Permission denied (os error 13)");
}

fn directory_with_mode(stage: &Stage, name: &str, mode: Mode) {
    mkdir(&stage.path(name), mode).expect("create a directory");
}

#[test]
fn a_second_thread() {
    let stage = Stage::new();
    let advice = "start threads after the fork: in `main`, or after `start`";
    let one = format!("cannot fork: 1 other thread would be lost (second); {advice}");
    refused(&stage, &["--thread", "--stdout", "new"], &one);
    let two = format!("cannot fork: 2 other threads would be lost (second, second); {advice}");
    refused(&stage, &["--thread", "--thread", "--stdout", "new"], &two);
}

#[test]
fn a_descriptor_to_keep_that_is_closed() {
    let stage = Stage::new();
    let line = "cannot keep file descriptor 77: Bad file descriptor (os error 9)";
    refused(&stage, &["--keep-fds", "77", "--stdout", "new"], line);
    let line = "cannot keep file descriptor -1: Bad file descriptor (os error 9)";
    refused(&stage, &["--keep-fds", "-1", "--stdout", "new"], line);
}

#[test]
fn values_out_of_range() {
    let stage = Stage::new();
    let standard = "`ready_fd` must be 3 or more: 0 to 2 are the standard streams";
    for number in ["-1", "0", "2"] {
        refused(&stage, &["--ready-fd", number, "--stdout", "new"], standard);
        refused(&stage, &["--ready-fd", number, "--foreground"], standard);
    }
    let umask = "`umask` must be between 0o000 and 0o777, found 0o1000";
    refused(&stage, &["--umask", "1000", "--stdout", "new"], umask);
    let timeout = "`start_timeout` is zero: no daemon could be ready in time";
    refused(&stage, &["--start-timeout", "0", "--stdout", "new"], timeout);
}

#[test]
fn paths_that_say_nothing_or_something_else() {
    let stage = Stage::new();
    for option in ["stdin", "stdout", "stderr", "chdir"] {
        let argument = format!("--{option}");
        let refused = |value: &str, line: &str| refused(&stage, &[&argument, value], line);
        refused("", &format!("`{option}` is empty"));
        refused(r"a\0b", &format!("`{option}` contains a NUL byte"));
        for (path, what) in [
            ("~/x", "starts with `~`"),
            ("$HOME/x", "starts with `$`"),
            ("$XDG_STATE_HOME/x", "starts with `$`"),
            ("/run/${NAME}/x", "contains `${`"),
            ("${HOME}/x", "starts with `$`"),
        ] {
            let line = format!("`{option}` {what}, which only a shell expands; did you mean an absolute path?");
            refused(path, &line);
        }
    }
    for option in ["stdin", "stdout", "stderr"] {
        for path in ["/dev/stdin", "/dev/stdout", "/dev/stderr", "/dev/fd/1", "/proc/self/fd/7", "/proc/1/fd/1"] {
            let what = format!("`{option}` is the path `{path}`, which names a stream of the launcher, not a file");
            let line = format!("{what}; did you mean `Stdio::inherit()`?");
            refused(&stage, &[&format!("--{option}"), path], &line);
        }
        for (word, constructor) in [("null", "null"), ("inherit", "inherit"), ("-", "inherit")] {
            let question = format!("`{option}` is the path `{word}`; did you mean `Stdio::{constructor}()`?");
            let line = format!("{question} a file of that name is `./{word}`");
            refused(&stage, &[&format!("--{option}"), word], &line);
        }
    }
}

/// `{:#}` gives the cause.
#[test]
fn setup_itself() {
    let stage = Stage::new();
    refused(&stage, &["--stdout", "new", "--fail", "no luck"], "no luck: the cause");
}

#[test]
fn the_line_begins_with_the_programs_name() {
    let stage = Stage::new();
    let line = |name: &str| format!("{name}: cannot open stdin {{}}/missing: No such file or directory (os error 2)");
    let options = ["--stdin", "missing"];
    stage.refuses(stage.command(PROBE).args(["--name", "clockd"]).args(options), &line("clockd"));
    stage.refuses(stage.command(PROBE).arg0("/usr/bin/clockd").args(options), &line("clockd"));
    stage.refuses(stage.command(PROBE).arg0("clockd").args(options), &line("clockd"));
    stage.refuses(stage.command(PROBE).arg0("").args(options), &line("daemon"));
    let mut failing_setup = stage.command(PROBE);
    stage.refuses(failing_setup.args(["--name", "clockd", "--fail", "no luck"]), "clockd: no luck: the cause");
}
