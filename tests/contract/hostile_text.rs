//! Names, paths and texts that somebody chose to make a message say something else; and a limit that could make it say
//! nothing.

use std::{
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt, fs::symlink},
};

use support::{Launch, Stage, Syslog, is_root, needs_root};

use crate::PROBE;

/// It contains a second line, a bidirectional control, invisible characters, and a control sequence for the terminal.
const NAME: &str = "x\nprobe: all is well\t\u{202e}gol\u{2066}\u{200b}\u{2028}\u{e0041}\u{feff}\u{ad}\r\u{1b}[2J";
const SHOWN: &str = r"x\nprobe: all is well\t\u{202e}gol\u{2066}\u{200b}\u{2028}\u{e0041}\u{feff}\u{ad}\r\u{1b}[2J";

#[test]
fn a_path_is_on_one_line() {
    for (option, step, cause) in [
        ("--stdout", "cannot open stdout {}/", "/y: there is no directory {}/SHOWN"),
        ("--stderr", "cannot open stderr {}/", "/y: there is no directory {}/SHOWN"),
        ("--stdin", "cannot open stdin {}/", "/y: there is no directory {}/SHOWN"),
        ("--chdir", "cannot change directory to {}/", "/y: No such file or directory (os error 2)"),
        ("--pidfile", "cannot lock {}/", "/y: there is no directory {}/SHOWN"),
    ] {
        let stage = Stage::new();
        let line = format!("probe: {step}{SHOWN}{}", cause.replace("SHOWN", SHOWN));
        stage.refuses(stage.command(PROBE).args([option, &format!("{NAME}/y")]), &line);
    }
}

/// Root walks the path step by step, which has no limit. Then it looks at the whole path again, which has one.
#[test]
fn a_path_that_is_too_long_leaves_nothing() {
    for (options, step) in [
        (["--pidfile"].as_slice(), "cannot lock"),
        (&["--user", "root", "--stdout"], "cannot open stdout"),
        (&["--user", "nobody", "--stdout"], "cannot open stdout"),
    ] {
        if options.len() > 1 && !is_root() {
            continue;
        }
        let stage = Stage::new();
        let path = format!("{}{}file", stage.directory().display(), "/".repeat(4096));
        let launch = stage.launch(stage.command(PROBE).args(options).arg(&path));
        assert_eq!(launch.status, 1, "{options:?}");
        assert!(launch.stderr.starts_with(&format!("probe: {step} {}", stage.directory().display())), "{options:?}");
        assert!(launch.stderr.ends_with(": File name too long (os error 36)\n"), "{options:?}");
        assert_eq!(stage.files(), [""; 0], "{options:?}");
    }
}

#[test]
fn the_target_of_a_link_is_on_one_line() {
    let stage = Stage::new();
    fs::write(stage.path(NAME), "").expect("write");
    symlink(NAME, stage.path("link")).expect("link");
    let line = format!("probe: cannot open stdout {{}}/link: it is a symbolic link; name its target, {{}}/{SHOWN}");
    stage.refuses(stage.command(PROBE).args(["--stdout", "link"]), &line);
}

#[test]
fn the_directory_of_the_launch_is_on_one_line() {
    let stage = Stage::new();
    let directory = stage.directory().join(OsStr::from_bytes(b"a\nb\xff"));
    fs::create_dir(&directory).expect("create a directory");
    let line = r"probe: cannot open stdout {}/a\nb\xff/missing/log: there is no directory {}/a\nb\xff/missing";
    stage.refuses(stage.command(PROBE).current_dir(directory).args(["--stdout", "missing/log"]), line);
}

#[test]
fn a_name_is_on_one_line() {
    for (options, text) in [
        (["--user", NAME], "`user` is unknown: there is no user SHOWN"),
        (["--group", NAME], "`group` is unknown: there is no group SHOWN"),
        (["--keep-env", &format!("{NAME}=")], "`keep_env` takes names of variables, found `SHOWN=`"),
    ] {
        let stage = Stage::new();
        let line = format!("probe: {}", text.replace("SHOWN", SHOWN));
        stage.refuses(stage.command(PROBE).args(options), &line);
    }
    // The program's own, and that of the file that it is executed by.
    let stage = Stage::new();
    let line = format!("{SHOWN}: `umask` must be between 0o000 and 0o777, found 0o1000");
    stage.refuses(stage.command(PROBE).args(["--name", NAME, "--umask", "1000"]), &line);
    symlink(PROBE, stage.path(NAME)).expect("link");
    stage.refuses(stage.command(stage.path(NAME)).args(["--umask", "1000"]), &line);
}

#[test]
fn the_socket_of_a_manager_is_on_one_line() {
    let stage = Stage::new();
    let line = format!(
        "probe: cannot reach the service manager at /{SHOWN}, NOTIFY_SOCKET: No such file or directory (os error 2)"
    );
    let mut program = stage.command("sh");
    program.args(["-c", "SYSTEMD_EXEC_PID=$$ exec $0 --notify", PROBE]).env("NOTIFY_SOCKET", format!("/{NAME}"));
    stage.refuses(&mut program, &line);
}

/// Command line parsers print several.
#[test]
fn an_error_of_setup_has_its_lines() {
    let stage = Stage::new();
    let line = "probe: no\n\tluck \\u{202e}\\u{1b}[2J: the cause";
    stage.refuses(stage.command(PROBE).args(["--fail", "no\n\tluck \u{202e}\u{1b}[2J"]), line);
}

#[test]
fn what_the_daemon_said_has_its_lines() {
    for options in [[].as_slice(), &["--stderr", "log"]] {
        let stage = Stage::new();
        let launcher = stage.start(stage.command(PROBE).arg("--notify").args(options));
        let mut daemon = stage.daemon();
        daemon.ask("stderr one\ttwo \u{202e}\u{200b}");
        daemon.ask("stderr three");
        daemon.send("exit 7");
        let said = "one\ttwo \\u{202e}\\u{200b}\nthree\n";
        let line = "probe: the daemon ended before it was ready: exit status: 7\n";
        assert_eq!(launcher.end().stderr, format!("{said}{line}"));
    }
}

#[test]
fn a_line_of_the_systems_log_is_one() {
    needs_root!();
    let stage = Stage::new();
    let log = Syslog::new(&stage);
    let mut daemon = stage.started(stage.command_beside_syslog(PROBE).args(["--connect", "--name", "a\n\u{202e}b"]));
    daemon.send("return no \u{202e}luck\u{200b}");
    daemon.wait();
    let line = format!(r#"<27>a\n\u{{202e}}b[{}]: Error: "no \u{{202e}}luck\u{{200b}}""#, daemon.process.0);
    assert_eq!(log.lines(), [line]);
}

/// It is prepared at the start, and written by a signal handler.
#[test]
fn a_line_in_an_old_log_is_one() {
    let stage = Stage::new();
    stage.create_directory(NAME);
    let log = format!("{NAME}/log");
    let mut daemon = stage.started(stage.command(PROBE).args(["--reopen-logs", "--stdout", &log]));
    fs::rename(stage.path(NAME), stage.path("away")).expect("rename");
    let directory = stage.directory().canonicalize().expect("a path").display().to_string();
    let failure = format!("cannot reopen stdout {directory}/{SHOWN}/log: No such file or directory (os error 2)");
    assert_eq!(daemon.ask("reopen"), format!("error: {failure}"));
    assert_eq!(stage.read("away/log"), format!("probe: {failure}\n"));
}

/// A write beyond the limit would end the launcher by SIGXFSZ, setrlimit(2).
fn limited(stage: &Stage, options: &str) -> Launch {
    let mut shell = stage.command("sh");
    shell.args(["-c", &format!("ulimit -f 0; exec $0 {options}"), PROBE]);
    stage.launch(&mut shell)
}

#[test]
fn a_limit_on_the_size_of_files_leaves_the_status_as_it_is() {
    for (options, status) in [
        ("--stdout missing/log 2>err", 1),
        ("--print hello --stdout missing/log >out 2>err", 1),
        ("--print hello --printf hello --fail x >out 2>err", 1),
        ("--foreground --umask 1000 2>err", 1),
        ("--pidfile pid 2>err", 1), // fails in the daemon
    ] {
        let stage = Stage::new();
        let launch = limited(&stage, options);
        assert_eq!(launch.status, status, "{options} {launch:?}");
        assert!(stage.no_daemon_reported(), "{options}");
        assert_eq!(stage.processes(), [], "{options}");
        assert_eq!((stage.read("err"), stage.read("out")), (String::new(), String::new()));
    }
}

#[test]
fn a_limit_on_the_size_of_files_does_not_keep_it_from_starting() {
    let stage = Stage::new();
    let launch = limited(&stage, "--print hello --printf hello --stdout log >out 2>err");
    assert_eq!(launch.status, 0, "{launch:?}");
    let daemon = stage.daemon();
    // In the daemon, the signal has its previous action again.
    let ignored = u64::from_str_radix(daemon.sight.get("SigIgn"), 16).expect("a set of signals");
    assert_eq!(ignored & (1 << (nix::libc::SIGXFSZ - 1)), 0);
}

#[test]
fn a_limit_on_the_size_of_files_is_no_end_of_a_daemon_that_cannot_reopen_its_log() {
    let stage = Stage::new();
    stage.create_directory("logs");
    let full = "x".repeat(512);
    fs::write(stage.path("logs/log"), &full).expect("write");
    let mut shell = stage.command("sh");
    shell.args(["-c", "ulimit -f 1; exec $0 --reopen-logs --stdout logs/log", PROBE]);
    let mut daemon = stage.started(&mut shell);
    fs::rename(stage.path("logs"), stage.path("away")).expect("rename");
    assert!(daemon.ask("reopen").ends_with("No such file or directory (os error 2)"));
    assert_eq!(stage.read("away/log"), full);
}

/// A reader of the error gets all of it, however small files must be.
#[test]
fn a_limit_on_the_size_of_files_is_none_on_a_pipe() {
    let stage = Stage::new();
    let mut shell = stage.command("sh");
    shell.args(["-c", "ulimit -f 0; exec $0 --stdout missing/log", PROBE]);
    stage.refuses(&mut shell, "probe: cannot open stdout {}/missing/log: there is no directory {}/missing");
}
