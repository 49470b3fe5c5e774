//! Step 12 of daemon(7): the pidfile, and the one instance that it guarantees.

use std::{
    fs::{self, File},
    process::Command,
};

use nix::{
    fcntl::{FcntlArg, Flock, FlockArg, fcntl},
    libc,
    sys::{signal::Signal, stat::Mode},
    unistd::{Uid, mkfifo},
};
use support::{Daemon, Process, Stage, within};

use crate::{
    program::{
        Program, SOON, Spawned, UNKNOWN_OPTION, WATCH, ends, looking_around, main_begins, no_option, nobody_is_left,
        stage,
    },
    verdict::{Objection, Verdict, judge, met, met_without, not_applicable, not_met},
};

/// daemon(1) has a second file, whose name is this one's to the last dot, be it in a directory's name.
const NAME: &str = "audit.pid";

/// How many starts there are at once.
const AT_ONCE: usize = 8;

/// A daemon with a pidfile, which names it or another process of its start.
pub(crate) fn starts(program: &Program, stage: &Stage) -> Result<Daemon, Objection> {
    starts_with(program, stage, &[]).map(|(daemon, _)| daemon)
}

/// The same with these options, too, and who the pidfile names.
pub(crate) fn starts_with(program: &Program, stage: &Stage, options: &[&str]) -> Result<(Daemon, Process), Objection> {
    let daemon = program.starts(stage, &[], &[&["--pidfile", &path(stage)], options].concat())?;
    Ok((daemon, named(stage)?))
}

/// Who of a start the pidfile names.
pub(crate) fn named(stage: &Stage) -> Result<Process, Objection> {
    match stage.read(NAME).trim().parse().map(Process) {
        Ok(named) if stage.processes().contains(&named) => Ok(named),
        _ => not_met("the pidfile does not name it"),
    }
}

pub(crate) fn path(stage: &Stage) -> String {
    stage.path(NAME).display().to_string()
}

pub(crate) fn content(program: &Program) -> Verdict {
    let stage = stage();
    let daemon = starts(program, &stage)?;
    match stage.read(NAME) {
        text if text == format!("{}\n", daemon.process.0) => met("the process id of main, and a newline"),
        text if text.trim() == daemon.process.0.to_string() => met("the process id of main"),
        _ => not_met("the number is another process's"),
    }
}

pub(crate) fn lock(program: &Program) -> Verdict {
    let stage = stage();
    let _daemon = starts(program, &stage)?;
    let Ok(file) = File::options().read(true).write(true).open(stage.path(NAME)) else {
        return not_met("it is missing");
    };
    let mut in_the_way = whole_file(libc::F_WRLCK);
    let is_asked = fcntl(&file, FcntlArg::F_GETLK(&mut in_the_way)).is_ok();
    if is_asked && in_the_way.l_type != whole_file(libc::F_UNLCK).l_type {
        return met("fcntl(2)");
    }
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Err(_) => met("flock(2)"),
        Ok(_) => not_met("there is no lock"),
    }
}

pub(crate) fn one_instance(program: &Program) -> Verdict {
    let stage = stage();
    let first = starts(program, &stage)?;
    let (content, before) = (stage.read(NAME), stage.processes());
    let _second = program.launch(&stage, &["--pidfile", &path(&stage)])?;
    let is_alone = looking_around(WATCH, || stage.processes().iter().all(|process| before.contains(process)));
    let objections = [
        (!is_alone).then_some("a process of the second start is left"),
        (!first.process.is_alive()).then_some("the first one has ended"),
        (stage.read(NAME) != content).then_some("the pidfile has changed"),
    ];
    met_without(&objections, "after a second start the first one runs on, alone, and the pidfile is the same")
}

pub(crate) fn second_start_is_refused(program: &Program) -> Verdict {
    let stage = stage();
    let _first = starts(program, &stage)?;
    let launch = program.launch(&stage, &["--pidfile", &path(&stage)])?;
    let objections = [
        (launch.status == 0).then_some("exit status 0"),
        [launch.stdout, launch.stderr].concat().trim().is_empty().then_some("nothing is said"),
    ];
    met_without(&objections, "the exit status is not 0, and something is said")
}

/// The starts wait for each other at a FIFO. Whoever is lucky once is not so in every round.
pub(crate) fn at_once(program: &Program) -> Verdict {
    for _round in 0..3 {
        let stage = stage();
        mkfifo(&stage.path("gate"), Mode::from_bits_truncate(0o644)).expect("make a FIFO");
        let mut launchers = Vec::new();
        for _ in 0..AT_ONCE {
            let options = ["--pidfile", &path(&stage)];
            let mut command = program.in_script(&stage, &[], "echo >>there; : <gate; exec \"$@\"", &options)?;
            launchers.push(Spawned::silent(&stage, &mut command));
        }
        let _there = within(SOON, || (stage.read("there").len() == AT_ONCE).then_some(()));
        let _open = File::options().write(true).open(stage.path("gate")).expect("open the FIFO");
        for launcher in &mut launchers {
            match launcher.status_within(SOON) {
                None => return not_met("a launcher does not end"),
                Some(UNKNOWN_OPTION) => return no_option(),
                Some(_) => {}
            }
        }
        let _one = main_begins(&stage)?;
        if stage.daemon_within(WATCH / 4).is_some() {
            return not_met("main begins in more than one");
        }
    }
    met("main begins in one")
}

/// The daemon is killed, and leaves its pidfile as it is.
pub(crate) fn left_behind(program: &Program) -> Verdict {
    let stage = stage();
    let first = starts(program, &stage)?;
    for process in stage.processes() {
        process.signal(Signal::SIGKILL);
    }
    drop(first);
    if !nobody_is_left(&stage) {
        return not_met("it cannot be killed");
    }
    let _second = starts(program, &stage)?;
    met("it starts again")
}

/// As after a crash and a reboot.
pub(crate) fn of_another_process(program: &Program) -> Verdict {
    let stage = stage();
    let other = Spawned::new(Command::new("sleep").arg("1000"));
    fs::write(stage.path(NAME), format!("{}\n", other.process().0)).expect("write a pidfile");
    let _daemon = starts(program, &stage)?;
    judge(other.process().is_alive(), "it starts, and the other process lives")
}

pub(crate) fn removal(program: &Program) -> Verdict {
    let stage = stage();
    let mut daemon = starts(program, &stage)?;
    daemon.send("return");
    if !ends(daemon.process) {
        return not_met("it does not end");
    }
    is_removed(&stage)
}

pub(crate) fn removal_as_another_user(program: &Program) -> Verdict {
    if !Uid::effective().is_root() {
        return not_applicable("needs root");
    }
    let stage = stage();
    // Only root may remove it from that directory.
    let (mut daemon, _) = starts_with(program, &stage, &["--user", "nobody"])?;
    daemon.send("return");
    if !ends(daemon.process) {
        return not_met("it does not end");
    }
    is_removed(&stage)
}

/// The daemon has ended.
pub(crate) fn is_removed(stage: &Stage) -> Verdict {
    let is_gone = within(WATCH, || (!stage.path(NAME).exists()).then_some(())).is_some();
    judge(is_gone, if is_gone { "it is gone" } else { "it stays" })
}

/// The directory is in that of the launch, and not in `/`.
pub(crate) fn relative_path(program: &Program) -> Verdict {
    let stage = stage();
    stage.create_directory("directory");
    let daemon = program.starts(&stage, &[], &["--pidfile", "directory/pid"])?;
    let is_there = stage.read("directory/pid").trim() == daemon.process.0.to_string();
    judge(is_there, if is_there { "it is there" } else { "it is not there" })
}

/// A lock of fcntl(2).
#[allow(clippy::cast_possible_truncation, reason = "the constants are smaller than their type")]
fn whole_file(kind: libc::c_int) -> libc::flock {
    libc::flock { l_type: kind as i16, l_whence: libc::SEEK_SET as i16, l_start: 0, l_len: 0, l_pid: 0 }
}
