//! Rotations that fail when the time has come: the old file stays, and says why, once.

use std::{
    fs::{self, File},
    os::unix::fs::{chown, fchown, symlink},
    path::Path,
};

use nix::{
    fcntl::{Flock, FlockArg},
    sys::stat::Mode,
    unistd::mkfifo,
};
use support::{Daemon, Process, Stage, Syslog, eventually, needs_root};

use super::{NOBODY, daemon, directory, fill, line, set_mode, words};
use crate::PROBE;

/// It is not rotated, twice, and is when that is no longer in the way.
fn stays_until(stage: &Stage, daemon: &mut Daemon, log: &str, why: &str, remove: impl FnOnce()) {
    daemon.ask(&format!("stdout {}", line("one")));
    let said = format!("cannot rotate stdout {}: {why}", stage.path(log).display());
    for word in ["two", "three"] {
        assert_eq!(daemon.ask("rotate"), format!("error: {said}"));
        daemon.ask(&format!("stdout {word}"));
    }
    let text = format!("{}\nprobe: {said}\ntwo\nthree\n", line("one"));
    assert_eq!(stage.read(log), text);
    remove();
    assert_eq!(daemon.ask("rotate"), "");
    daemon.ask("stdout four");
    assert_eq!((stage.read(&format!("{log}.1")), stage.read(log)), (text, "four\n".into()));
}

#[test]
fn what_is_planted_under_the_next_number() {
    let plants: [fn(&Path); 3] = [
        |path| symlink("target", path).expect("link"),
        |path| mkfifo(path, Mode::S_IRWXU).expect("create a FIFO"),
        |path| mkfifo(path, Mode::empty()).expect("create a FIFO"),
    ];
    for plant in plants {
        let stage = Stage::new();
        fs::write(stage.path("target"), "secret").expect("write");
        let mut daemon = daemon(&stage, &["--stdout", "rotate:50,2:log"]);
        plant(&stage.path("log.1"));
        let why = "its name with a number, such as `.1`, is not a regular file";
        stays_until(&stage, &mut daemon, "log", why, || fs::remove_file(stage.path("log.1")).expect("remove"));
        assert_eq!(stage.read("target"), "secret");
    }
}

/// It is planted between the rename and the creation. This cannot be told from a rotation by somebody else.
#[test]
fn what_is_planted_in_the_place_of_the_log() {
    type Plant = (fn(&Stage), &'static str);
    needs_root!();
    let plants: [Plant; 3] = [
        (|stage| symlink("../target", stage.path("logs/log")).expect("link"), "it is a symbolic link"),
        (
            |stage| {
                mkfifo(&stage.path("logs/log"), Mode::S_IRWXU).expect("create a FIFO");
                chown(stage.path("logs/log"), Some(7777), None).expect("give it away");
            },
            "No such device or address (os error 6)",
        ),
        (
            |stage| {
                drop(stage.create("logs/log"));
                chown(stage.path("logs/log"), Some(7777), None).expect("give it away");
            },
            "it belongs to another user, and others may write in its directory",
        ),
    ];
    for (plant, why) in plants {
        let stage = Stage::new();
        directory(&stage, "logs", 0);
        set_mode(&stage.path("logs"), 0o777);
        fs::write(stage.path("target"), "secret").expect("write");
        let mut daemon = daemon(&stage, &["--stdout", "rotate:50,2:logs/log"]);
        daemon.ask(&format!("stdout {}", line("one")));
        fs::rename(stage.path("logs/log"), stage.path("logs/log.1")).expect("rename");
        plant(&stage);
        let said = format!("cannot rotate stdout {}: {why}", stage.path("logs/log").display());
        for word in ["two", "three"] {
            assert_eq!(daemon.ask("rotate"), format!("error: {said}"));
            daemon.ask(&format!("stdout {word}"));
        }
        assert_eq!(stage.read("logs/log.1"), format!("{}\nprobe: {said}\ntwo\nthree\n", line("one")));
        fs::remove_file(stage.path("logs/log")).expect("remove");
        assert_eq!(daemon.ask("rotate"), "");
        daemon.ask("stdout four");
        assert_eq!((words(&stage, &["logs/log"]), stage.read("target")), (vec!["four".into()], "secret".into()));
    }
}

#[test]
fn a_directory_that_was_taken_from_the_user() {
    needs_root!();
    let stage = Stage::new();
    stage.open_to_all();
    directory(&stage, "logs", NOBODY);
    for mode in [0o755, 0o700] {
        let mut daemon = daemon(&stage, &["--stdout", "rotate:50,2:logs/log", "--user", "nobody", "--connect"]);
        set_mode(&stage.path("logs"), mode);
        chown(stage.path("logs"), Some(0), Some(0)).expect("take it");
        stays_until(&stage, &mut daemon, "logs/log", "Permission denied (os error 13)", || {
            chown(stage.path("logs"), Some(NOBODY), None).expect("give it back");
        });
        for name in ["logs/log", "logs/log.1"] {
            fs::remove_file(stage.path(name)).expect("remove");
        }
    }
}

/// A failed rotation leaves no gap that a later one would fill: what was kept stays.
#[test]
fn what_was_kept_stays_where_it_fails_again_and_again() {
    needs_root!();
    let stage = Stage::new();
    stage.open_to_all();
    directory(&stage, "logs", NOBODY);
    let mut daemon = daemon(&stage, &["--stdout", "rotate:50,3:logs/log", "--user", "nobody", "--connect"]);
    for round in 1..=3 {
        fill(&mut daemon, &round.to_string());
    }
    // Nobody creates another file there, and the log has been renamed.
    fs::rename(stage.path("logs/log"), stage.path("logs/log.renamed")).expect("rename");
    symlink("nowhere", stage.path("logs/log")).expect("link");
    for _ in 0..5 {
        daemon.ask(&format!("stdout {}", line("4")));
        assert!(daemon.ask("rotate").starts_with("error: cannot rotate stdout "));
    }
    assert_eq!(words(&stage, &["logs/log.3", "logs/log.2", "logs/log.1"]), ["1", "2", "3"]);
}

/// Nothing is removed before the log has its number.
#[test]
fn what_was_kept_stays_where_one_of_them_cannot_be_renamed() {
    needs_root!();
    for stuck in 1..=3 {
        let stage = Stage::new();
        stage.open_to_all();
        directory(&stage, "logs", 0);
        set_mode(&stage.path("logs"), 0o1777);
        let mut daemon = daemon(&stage, &["--stdout", "rotate:50,3:logs/log", "--user", "nobody", "--connect"]);
        for round in 1..=3 {
            fill(&mut daemon, &round.to_string());
        }
        let path = stage.path(&format!("logs/log.{stuck}"));
        let owned = File::open(&path).expect("open");
        fchown(&owned, Some(7777), None).expect("take it");
        for _ in 0..3 {
            daemon.ask(&format!("stdout {}", line("4")));
            let error = format!(
                "error: cannot rotate stdout {}: Operation not permitted (os error 1)",
                stage.path("logs/log").display()
            );
            assert_eq!(daemon.ask("rotate"), error);
        }
        let kept = || -> Vec<String> {
            let mut names: Vec<_> = fs::read_dir(stage.path("logs"))
                .expect("a directory")
                .map(|file| format!("logs/{}", file.expect("a file").file_name().to_string_lossy()))
                .filter(|name| name.starts_with("logs/log."))
                .collect();
            names.sort();
            words(&stage, &names.iter().map(String::as_str).collect::<Vec<_>>())
        };
        assert_eq!(kept(), ["3", "2", "1"], "log.{stuck} is another's");
        fchown(&owned, Some(NOBODY), None).expect("give it back");
        assert_eq!(daemon.ask("rotate"), "");
        assert_eq!(kept(), ["4 probe: 4 4", "3", "2"], "log.{stuck} is the user's again");
    }
}

/// Whoever may read a log may also lock it.
#[test]
fn a_log_that_a_bystander_has_locked() {
    let stage = Stage::new();
    let mut daemon = daemon(&stage, &["--stdout", "rotate:50,2:log"]);
    let reader = File::open(stage.path("log")).expect("open");
    let _lock = Flock::lock(reader, FlockArg::LockExclusiveNonblock).map_err(|(_, error)| error).expect("lock");
    fill(&mut daemon, "one");
    assert_eq!(stage.files(), ["log"], "another program may be at it");
    eventually("a rotation all the same", || {
        assert_eq!(daemon.ask("rotate"), "");
        stage.path("log.1").exists().then_some(())
    });
    fill(&mut daemon, "two");
    assert_eq!(words(&stage, &["log.2", "log.1", "log"]), ["one", "two", ""]);
}

/// What was said before is still true until a rotation succeeds.
#[test]
fn a_bystander_has_nothing_told_twice() {
    let stage = Stage::new();
    let mut daemon = daemon(&stage, &["--stdout", "rotate:50,2:log"]);
    stage.create_directory("log.1");
    let reader = File::open(stage.path("log")).expect("open");
    let _lock = Flock::lock(reader, FlockArg::LockSharedNonblock).map_err(|(_, error)| error).expect("lock");
    daemon.ask(&format!("stdout {}", "x".repeat(60)));
    eventually("a failure", || daemon.ask("rotate").starts_with("error: ").then_some(()));
    for _ in 0..3 {
        assert!(daemon.ask("rotate").starts_with("error: "), "nobody is waited for again");
    }
    assert_eq!(stage.read("log").matches("cannot rotate").count(), 1);
}

/// The last number that is kept may be the last for which a name has room.
#[test]
fn a_name_without_room_for_another_number() {
    let stage = Stage::new();
    let name = "x".repeat(253);
    let mut daemon = daemon(&stage, &["--stdout", &format!("rotate:50,9:{name}")]);
    for _ in 0..12 {
        daemon.ask(&format!("stdout {}", "x".repeat(60)));
        assert_eq!(daemon.ask("rotate"), "");
    }
    assert_eq!(stage.files().len(), 10);
}

/// A worker has a copy of every descriptor, also of one that lives for a moment.
#[test]
fn the_lock_is_given_up_with_the_turn() {
    let stage = Stage::new();
    let mut daemon = daemon(&stage, &["--stdout", "rotate:50,2:log"]);
    fill(&mut daemon, "one");
    let old = File::open(stage.path("log.1")).expect("open");
    assert!(Flock::lock(old, FlockArg::LockExclusiveNonblock).is_ok());
}

/// The stage as that process sees it.
fn there(stage: &Stage, process: Process, name: &str) -> String {
    format!("/proc/{}/root{}/{name}", process.0, stage.directory().display())
}

#[test]
fn a_full_disk_costs_no_line_that_fits() {
    needs_root!();
    let stage = Stage::new();
    stage.create_directory("small");
    let mut command = stage.command_behind("mount -t tmpfs -o size=64k tmpfs small", PROBE);
    let mut daemon = stage.started(command.args(["--stdout", "rotate:20000,2:small/log"]));
    let [log, first, second] =
        ["small/log", "small/log.1", "small/log.2"].map(|name| there(&stage, daemon.process, name));
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let text = "a line,".repeat(100); // with no space at its end, which would not be written
    let mut fitted = 0;
    let error = eventually("a full disk", || {
        let said = daemon.ask(&format!("output {text}"));
        fitted += usize::from(said.is_empty());
        Some(said).filter(|said| !said.is_empty())
    });
    assert_eq!(error, "error: ENOSPC: No space left on device");
    assert_eq!(daemon.ask("rotate"), "", "that takes no room");
    assert_eq!(daemon.ask(&format!("output {text}")), error);
    let whole: String = [&second, &first, &log].map(|path| read(path)).concat();
    let lines = whole.lines().filter(|line| *line == text).count();
    assert!(lines + 1 >= fitted, "{lines} of {fitted}; of the last, the disk took a part");
    // The oldest goes, and there is room again.
    fs::remove_file(Path::new(&first)).expect("make room");
    assert_eq!(daemon.ask("output there is room again"), "");
    assert!(read(&log).ends_with("there is room again\n"));
}

/// There is no room: a new file cannot be created, and nothing can be written to the old one. This is said once.
#[test]
fn a_disk_without_room_for_a_file() {
    needs_root!();
    let stage = Stage::new();
    stage.create_directory("small");
    let syslog = Syslog::new(&stage);
    let mut command = stage.command_beside_syslog("sh");
    let script = "mount -t tmpfs -o size=64k,nr_inodes=2 tmpfs small && exec \"$0\" \"$@\"";
    let mut daemon = stage.started(command.args(["-c", script, PROBE, "--stdout", "rotate:20000,2:small/log"]));
    assert_eq!(daemon.ask("rotate"), ""); // from now on only when the test says so
    let [log, first] = ["small/log", "small/log.1"].map(|name| there(&stage, daemon.process, name));
    let text = "a line ".repeat(100);
    eventually("a full disk", || Some(daemon.ask(&format!("output {text}"))).filter(|said| !said.is_empty()));
    let why = "No space left on device (os error 28)";
    let said = format!("cannot rotate stdout {}: {why}", stage.path("small/log").display());
    for _ in 0..3 {
        assert_eq!(daemon.ask("rotate"), format!("error: {said}"));
    }
    let told = syslog.lines();
    assert!(matches!(&told[..], [line] if line.ends_with(&said) && line.contains("probe[")), "{told:?}");

    // What fits goes to the old file, whatever its name is by now.
    assert!(!Path::new(&log).exists());
    let file = File::options().write(true).open(&first).expect("open");
    file.set_len(40_000).expect("make room");
    assert_eq!(daemon.ask("output there is room again"), "");
    assert!(fs::read_to_string(&first).expect("read").ends_with("there is room again\n"));
    for _ in 0..3 {
        assert_eq!(daemon.ask("rotate"), format!("error: {said}"));
    }
    assert_eq!(syslog.lines(), Vec::<String>::new(), "told once");

    make_room_for_files(&stage, daemon.process);
    assert_eq!(daemon.ask("rotate"), "");
    assert_eq!(daemon.ask("output and a new log"), "");
    assert_eq!(fs::read_to_string(&log).expect("read"), "and a new log\n");
}

fn make_room_for_files(stage: &Stage, process: Process) {
    let mut command = stage.command("nsenter");
    command.args(["--mount", "--target", &process.0.to_string(), "mount", "-o", "remount,nr_inodes=9"]);
    assert!(command.arg(stage.path("small")).status().expect("start nsenter").success());
}

/// If no old log is kept, it is removed when the new one is in place, however late, and whoever puts it there. Somebody
/// else's file stays.
#[test]
fn where_none_is_kept_and_the_new_log_comes_late() {
    needs_root!();
    for (command, is_replaced) in [("rotate", false), ("reopen", false), ("rotate", true)] {
        let stage = Stage::new();
        stage.create_directory("small");
        let mut starter = stage.command_behind("mount -t tmpfs -o size=64k,nr_inodes=2 tmpfs small", PROBE);
        let mut daemon = stage.started(starter.args(["--stdout", "rotate:50,0:small/log"]));
        assert_eq!(daemon.ask("rotate"), ""); // from now on only when the test says so
        let [log, first, moved] =
            ["small/log", "small/log.1", "small/moved"].map(|name| there(&stage, daemon.process, name));
        daemon.ask(&format!("stdout {}", line("one")));
        for _ in 0..3 {
            let why = "No space left on device (os error 28)";
            let said = format!("error: cannot rotate stdout {}: {why}", stage.path("small/log").display());
            assert_eq!(daemon.ask("rotate"), said);
            daemon.ask("stdout two");
        }
        assert!(fs::read_to_string(&first).expect("read").ends_with("two\ntwo\ntwo\n"), "it is still written to");
        make_room_for_files(&stage, daemon.process);
        if is_replaced {
            fs::rename(&first, &moved).expect("rename");
            fs::write(&first, "another's").expect("write");
        }
        assert_eq!([daemon.ask(command), daemon.ask("rotate")], ["", ""]);
        daemon.ask("stdout three");
        assert_eq!(fs::read_to_string(&log).expect("read"), "three\n");
        assert_eq!(Path::new(&first).exists(), is_replaced, "by {command}");
    }
}
