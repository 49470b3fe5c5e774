//! What else runs in this memory, as far as Linux shows it.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::Path,
    process, thread,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    libc,
    sched::{CloneFlags, unshare},
};

use super::Step;
use crate::{Error, proc::Stat, sys, terminal::shown};

/// How long a thread that is about to end may take for it.
const PATIENCE: Duration = Duration::from_millis(100);

/// A joined thread is listed until the kernel has removed it, which may take long on a busy machine.
const LINGERS: Duration = Duration::from_secs(10);

const EMULATOR: &str = "cannot give up privileges: a thread of the emulator that runs this program would keep them";

enum Others {
    Nobody,
    /// Threads of an emulator that runs the program's instructions, such as qemu-user. It forks with them, but their
    /// ids cannot be changed.
    Emulator,
    Threads(Vec<Thread>),
    /// A child made with `CLONE_VM`, clone(2). It shares locks and all other memory.
    Process,
}

struct Thread {
    name: String,
    is_ending: bool,
}

pub(super) fn refuse(before: Step) -> Result<(), Error> {
    let start = Instant::now();
    loop {
        let others = others().map_err(|error| Error::because("cannot tell whether there is a second thread", error))?;
        let patience = match &others {
            Others::Nobody => return Ok(()),
            Others::Emulator if matches!(before, Step::Fork | Step::Spawn) => return Ok(()),
            Others::Emulator => return Err(Error::new(EMULATOR)),
            Others::Threads(threads) if threads.iter().all(|thread| thread.is_ending) => LINGERS,
            Others::Threads(_) | Others::Process => PATIENCE,
        };
        if start.elapsed() >= patience {
            return Err(refusal(before, &others));
        }
        thread::sleep(Duration::from_millis(1));
    }
}

fn others() -> io::Result<Others> {
    // Only a process that shares its memory with no other may call this, and then it has no effect, unshare(2).
    let alone = unshare(CloneFlags::CLONE_VM);
    if alone.is_ok() {
        return Ok(Others::Nobody);
    }
    // A filter of system calls may also have forbidden it. A directory has two links, and one more for each directory
    // in it.
    if fs::metadata("/proc/self/task")?.nlink() > 3 {
        let threads = threads()?;
        return Ok(if are_emulators(threads.len()) { Others::Emulator } else { Others::Threads(threads) });
    }
    // A process without a second thread may call this, even if it shares its memory.
    let is_shared = alone == Err(Errno::EINVAL) && unshare(CloneFlags::CLONE_THREAD).is_ok();
    Ok(if is_shared { Others::Process } else { Others::Nobody })
}

/// Whether this many threads all belong to an emulator.
///
/// For `/proc/self/exe` the emulator itself answers, and for another name of the same file the kernel does. The emulator
/// fails where it was given a relative path, and the working directory has changed since. So it is known whether there is
/// an emulator, but not whose the threads are. The C library knows those that the program has started. Without an
/// emulator, a thread that the library does not know, by clone(2), counts as the program's.
fn are_emulators(count: usize) -> bool {
    let told = fs::read_link("/proc/self/exe").ok();
    let run = fs::read_link(format!("/proc/self/task/{}/exe", process::id()));
    let is_emulated = run.is_ok_and(|run| told != Some(run));
    is_emulated && sys::is_single_threaded_to_libc().unwrap_or(count == 1) // qemu-user itself has one
}

fn refusal(before: Step, others: &Others) -> Error {
    let (cannot, fate, place) = match before {
        Step::Fork | Step::ForkAndGiveUpPrivileges => ("cannot fork", "would be lost", Some("after the fork")),
        Step::GiveUpPrivileges => ("cannot give up privileges", "would keep them", Some("after that")),
        Step::Spawn => ("cannot spawn a daemon", "would be lost", None),
    };
    let cure = |them: &str| match place {
        Some(place) => format!("start {them} {place}: in `main`, or after `start`"),
        None => "execute this program again, with `Command::new(current_exe()?)`, and start the daemon there".into(),
    };
    let Others::Threads(threads) = others else {
        return Error::new(format!("{cannot}: another process shares the memory of this one; {}", cure("it")));
    };
    let (count, s) = (threads.len(), if threads.len() == 1 { "" } else { "s" });
    let names = threads.iter().map(|thread| thread.name.as_str()).collect::<Vec<_>>().join(", ");
    Error::new(format!("{cannot}: {count} other thread{s} {fate} ({names}); {}", cure("threads")))
}

/// All except this one.
fn threads() -> io::Result<Vec<Thread>> {
    let own = process::id().to_string();
    let programs = Stat::at(&Path::new("/proc/self/task").join(&own))?; // an emulator answers for /proc/self/stat
    let programs = Thread::seen(&programs).map(|thread| thread.name);
    let mut threads = Vec::new();
    for task in fs::read_dir("/proc/self/task")? {
        let task = task?;
        if task.file_name().to_str() == Some(&own) {
            continue;
        }
        match Stat::at(&task.path()) {
            Ok(stat) => threads.extend(Thread::seen(&stat)),
            Err(error) if [Some(libc::ENOENT), Some(libc::ESRCH)].contains(&error.raw_os_error()) => {} // it has ended
            Err(error) => return Err(error),
        }
    }
    // A thread without a name of its own has the name of the thread that started it, at first the program's.
    for thread in threads.iter_mut().filter(|thread| Some(&thread.name) == programs.as_ref()) {
        "unnamed".clone_into(&mut thread.name);
    }
    Ok(threads)
}

impl Thread {
    fn seen(stat: &Stat) -> Option<Self> {
        /// `PF_EXITING` of the kernel. A thread has it before another thread can join it.
        const EXITING: u64 = 4;
        Some(Self { name: shown(stat.name()?).to_string(), is_ending: stat.number(9)? & EXITING != 0 })
    }
}
