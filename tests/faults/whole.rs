//! Everything that makes a daemon whole, told by itself and seen from outside.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::MetadataExt,
};

use daemon_rt::{PidFile, Status};
use nix::libc;
use support::{Daemon, Process, eventually};

use super::scene::{Place, Scene};

/// Values by their names, the same for every whole daemon of a scene.
pub(crate) type Look = BTreeMap<String, String>;

const STATUS: [&str; 13] = [
    "Umask",
    "Uid",
    "Gid",
    "Groups",
    "SigBlk",
    "SigIgn",
    "SigCgt",
    "CapInh",
    "CapPrm",
    "CapEff",
    "CapAmb",
    "NoNewPrivs",
    "Threads",
];

pub(crate) fn look(scene: &Scene, place: &Place, daemon: &mut Daemon) -> Look {
    let (stage, process) = (&place.stage, daemon.process);
    let mut look: Look = STATUS.map(|key| (key.to_owned(), process.status(key).unwrap_or_default())).into();
    let mut see = |key: &str, value: String| look.insert(key.to_owned(), value);
    for key in ["terminal", "directory", "close_on_exec", "launched_by"] {
        see(key, daemon.sight.get(key).to_owned());
    }
    for link in ["cwd", "root"] {
        see(link, target(place, process, link));
    }
    for entry in fs::read_dir(format!("/proc/{}/fd", process.0)).into_iter().flatten().flatten() {
        let number = entry.file_name().into_string().unwrap_or_default();
        let target = target(place, process, &format!("fd/{number}"));
        see(&format!("fd {number}"), format!("{target} {:#o}", flags(process, &number)));
    }
    if !scene.is_in_foreground() {
        see("leads its session", (process.session() == process.0).to_string());
        see("is in the leader's group", (process.group() == process.session()).to_string());
        let leader = Process(process.session());
        eventually("the leader's end", || (!leader.is_alive()).then_some(()));
    }
    for key in ["HOME", "USER", "LOGNAME", "SHELL"] {
        see(key, daemon.ask(&format!("variable {key}")));
    }
    if scene.has("--stdout") {
        daemon.ask("stdout out");
        daemon.ask("stderr err");
        see("log", stage.read("log"));
    }
    if scene.has("--pidfile") {
        let number = process.0.unsigned_abs();
        let status = PidFile::new(stage.path("pid")).status();
        see("pidfile", stage.read("pid").replace(&process.0.to_string(), "its number"));
        see("is held", matches!(status, Ok(Status::Running { pid, .. }) if pid == number).to_string());
    }
    see("the manager heard", place.heard().replace(&process.0.to_string(), "its number"));
    look.extend(files(place));
    look
}

/// Names, owners and modes.
pub(crate) fn files(place: &Place) -> Look {
    let stage = &place.stage;
    let tell = |name: String| {
        let file = fs::symlink_metadata(stage.path(&name)).ok()?;
        Some((format!("file {name}"), format!("{}:{} {:o}", file.uid(), file.gid(), file.mode())))
    };
    stage.files().into_iter().filter_map(tell).collect()
}

/// How a descriptor may be used. How its file was found does not matter any more.
fn flags(process: Process, number: &str) -> i32 {
    let info = fs::read_to_string(format!("/proc/{}/fdinfo/{number}", process.0)).unwrap_or_default();
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap_or_default();
    let matter = libc::O_ACCMODE | libc::O_APPEND | libc::O_NONBLOCK | libc::O_CLOEXEC;
    let is_own = !["0", "1", "2"].contains(&number); // nobody waits for it
    let matter = if is_own { matter & !libc::O_NONBLOCK } else { matter };
    i32::from_str_radix(flags.trim(), 8).unwrap_or(-1) & matter
}

fn target(place: &Place, process: Process, link: &str) -> String {
    let target = fs::read_link(format!("/proc/{}/{link}", process.0)).unwrap_or_default();
    let target = target.to_string_lossy().replace(&*place.stage.directory().to_string_lossy(), "{}");
    let kind = target.split_once(":[").map(|(kind, _)| kind.to_owned()); // behind it, a number of its own
    kind.unwrap_or(target)
}

/// Says what is another value than it should be.
pub(crate) fn same(should: &Look, is: &Look) -> Result<(), String> {
    let keys: BTreeSet<_> = should.keys().chain(is.keys()).collect();
    let different = keys.into_iter().filter(|key| should.get(*key) != is.get(*key));
    let differences: Vec<_> =
        different.map(|key| format!("{key} is {:?} instead of {:?}", is.get(key), should.get(key))).collect();
    if differences.is_empty() { Ok(()) } else { Err(differences.join("; ")) }
}
