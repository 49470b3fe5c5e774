//! A fork copies one thread: a second one's locks would stay locked for ever, and its work would be lost.

#[cfg(any(target_os = "linux", target_os = "android"))]
use std::os::unix::fs::MetadataExt;
use std::{
    fs, io,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use crate::{Error, sys, terminal::shown};

/// The evidence that the process has no second thread, which [`fork`](crate::sys::fork) and a change of the environment
/// ask for. What runs code of others, such as a look-up of a user, may start one: it is taken behind that.
pub(crate) struct SingleThread(());

/// A thread that was joined stays in /proc until the kernel has put it away, some 30 ms later at worst.
const LINGERS: Duration = Duration::from_millis(100);

const EMULATOR: &str = "cannot give up privileges: a thread of the emulator that runs this program would keep them";

/// What a second thread stands in the way of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Fork,
    ForkAndGiveUpPrivileges,
    /// In the foreground. Capabilities are per thread, and so are ids to the kernel.
    GiveUpPrivileges,
}

/// Who else runs in this memory.
enum Others {
    Nobody,
    Threads(u64),
    /// A thread of who runs the program's instructions, as qemu-user does. It forks its own, and nobody changes its ids.
    Emulator,
    /// A child made with `CLONE_VM`, clone(2): its locks are the same, and what it writes, too.
    Process,
}

/// Refuses to go on with a second thread. Only Linux can tell without help of the threads themselves.
pub(crate) fn refuse_second(before: Step) -> Result<SingleThread, Error> {
    let deadline = Instant::now() + LINGERS;
    loop {
        match others() {
            Ok(Others::Nobody) => return Ok(SingleThread(())),
            Ok(Others::Emulator) => {
                return if before == Step::Fork { Ok(SingleThread(())) } else { Err(Error::new(EMULATOR)) };
            }
            Ok(_) if Instant::now() < deadline => thread::sleep(Duration::from_millis(1)),
            Ok(others) => return Err(refusal(before, &others)),
            Err(error) => return Err(Error::because("cannot tell whether there is a second thread", error)),
        }
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn others() -> io::Result<Others> {
    use nix::{
        errno::Errno,
        sched::{CloneFlags, unshare},
    };
    // Only a process whose memory is nobody else's may do this, and to it nothing happens, unshare(2).
    let alone = unshare(CloneFlags::CLONE_VM);
    if alone.is_ok() {
        return Ok(Others::Nobody);
    }
    // A filter of system calls may forbid it, too. A directory has two links, and one more for each directory in it.
    match fs::metadata("/proc/self/task")?.nlink().saturating_sub(3) {
        // So may it without a second thread, whatever else shares the memory.
        0 if alone == Err(Errno::EINVAL) && unshare(CloneFlags::CLONE_THREAD).is_ok() => Ok(Others::Process),
        0 => Ok(Others::Nobody),
        count if are_emulators(count) => Ok(Others::Emulator),
        count => Ok(Others::Threads(count)),
    }
}

/// Whether all of these threads are an emulator's.
///
/// It answers for `/proc/self/exe`, and the kernel for what names the same file otherwise. That alone does not
/// tell whose the threads are: the C library knows those that the program has started. A thread that it does not know, by
/// clone(2), is taken for the program's where there is no emulator.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn are_emulators(count: u64) -> bool {
    let told = fs::read_link("/proc/self/exe");
    let run = fs::read_link(format!("/proc/self/task/{}/exe", std::process::id()));
    matches!((told, run), (Ok(told), Ok(run)) if told != run) && sys::is_single_threaded_to_libc().unwrap_or(count == 1) // qemu-user has one
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn others() -> io::Result<Others> {
    Ok(Others::Nobody)
}

fn refusal(before: Step, others: &Others) -> Error {
    let (cannot, fate, place) = match before {
        Step::Fork | Step::ForkAndGiveUpPrivileges => ("cannot fork", "would be lost", "after the fork"),
        Step::GiveUpPrivileges => ("cannot give up privileges", "would keep them", "without them"),
    };
    let &Others::Threads(count) = others else {
        let what = "another process shares the memory of this one";
        return Error::new(format!("{cannot}: {what}; start it in `main`, which runs {place}"));
    };
    let threads = if count == 1 { "thread" } else { "threads" };
    let names = names().map_or_else(|_| String::new(), |names| format!(" ({})", names.join(", ")));
    Error::new(format!("{cannot}: {count} other {threads} {fate}{names}; start threads in `main`, which runs {place}"))
}

/// A thread that nobody named has the name of the one that started it, and at first that is the program's.
fn names() -> io::Result<Vec<String>> {
    let own = std::process::id().to_string();
    let comm = |task: &Path| fs::read(task.join("comm"));
    let programs = comm(Path::new("/proc/self"))?;
    let mut names = Vec::new();
    for task in fs::read_dir("/proc/self/task")? {
        let task = task?;
        if task.file_name().to_str() != Some(&own) {
            let name = String::from_utf8_lossy(&comm(&task.path())?).into_owned();
            let is_unnamed = name.as_bytes() == programs;
            names.push(if is_unnamed { "unnamed".to_owned() } else { shown(name.trim_end()).to_string() });
        }
    }
    Ok(names)
}
