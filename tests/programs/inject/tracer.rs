//! ptrace(2) stops every process before and behind each call, and knows the second fork from the first.

use std::{
    collections::{HashMap, HashSet},
    env,
    error::Error,
    fs::File,
    io, mem,
    os::{
        fd::{IntoRawFd, RawFd},
        unix::process::CommandExt,
    },
    process::Command,
    thread,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    libc::{self, c_ulonglong},
    sys::{
        prctl::set_child_subreaper,
        ptrace::{self, Options},
        signal::{SigHandler, Signal, kill, signal},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::{Pid, dup2_raw, dup2_stderr},
};
use support::{Mark, Process};

use crate::{
    call::Call,
    fault::{Fault, Place, Role},
};

pub(crate) type Failure = Box<dyn Error>;

struct Tracer {
    lists: bool,
    /// With an upgrade: how many the leader has forked.
    forks: Option<usize>,
    fault: Option<(Place, Fault)>,
    is_hit: bool,
    first: (Pid, Role),
    processes: HashMap<Pid, Traced>,
    /// Those that stopped before their parents' fork told who they are.
    unknown: HashSet<Pid>,
    last_ended: Role,
    /// Those that go on when it is time.
    held: Vec<(Pid, Instant)>,
    /// The one that goes on when another has ended.
    waits: Option<(Pid, Pid)>,
}

struct Traced {
    role: Role,
    is_counted: bool,
    calls: HashMap<&'static str, usize>,
    at_exit: AtExit,
}

/// What is to be done behind the call.
enum AtExit {
    Nothing,
    Fail(i32),
    GiveBackLength(c_ulonglong),
}

pub(crate) fn run() -> Result<(), Failure> {
    // SAFETY: above the standard streams nothing is open here that anyone owns.
    Errno::result(unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0) })?;
    let (mut lists, mut forks, mut role) = (false, None, Role::Launcher);
    let mut handed_on = Vec::new();
    let mut fault = None;
    let mut arguments = env::args_os().skip(1);
    loop {
        let mut word = || arguments.next().and_then(|word| word.into_string().ok()).ok_or("too few words");
        match word()?.as_str() {
            "--list" => lists = true,
            "--upgrade" => forks = Some(0),
            "--client" => role = Role::Client,
            "--hand-on" => {
                let word = word()?;
                let (number, path) = word.split_once('=').ok_or("N=FILE")?;
                handed_on.push((number.parse()?, File::options().read(true).append(true).open(path)?));
            }
            "--at" => fault = Some((Place::parse(&word()?, &word()?, &word()?)?, Fault::parse(&word()?)?)),
            "--" => break,
            other => return Err(format!("unknown option {other}").into()),
        }
    }
    let mut program = Command::new(arguments.next().ok_or("no program")?);
    program.args(arguments);
    let first = launch(program, handed_on)?;
    dup2_stderr(io::stdin())?; // the null device: who reads standard error waits for the program's end alone
    let processes = HashMap::from([(first, Traced::new(role, false))]);
    let (unknown, held) = (HashSet::new(), Vec::new());
    let last_ended = Role::Other;
    let is_hit = false;
    let tracer =
        Tracer { lists, forks, fault, is_hit, first: (first, role), processes, unknown, last_ended, held, waits: None };
    tracer.resume(first, None)?;
    tracer.trace()
}

/// Whatever it leaves behind becomes a child of this process.
fn launch(mut program: Command, handed_on: Vec<(RawFd, File)>) -> Result<Pid, Failure> {
    set_child_subreaper(true)?;
    let arrange = move || {
        arrange(&handed_on)?;
        Ok(ptrace::traceme()?)
    };
    // SAFETY: system calls.
    unsafe { program.pre_exec(arrange) };
    let child = program.stdout(io::stderr()).spawn()?;
    let launcher = Pid::from_raw(i32::try_from(child.id())?);
    waitpid(launcher, None)?; // stopped by its exec
    let follow = Options::PTRACE_O_TRACEFORK | Options::PTRACE_O_TRACEVFORK | Options::PTRACE_O_TRACECLONE;
    let plain = Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_TRACEEXEC | Options::PTRACE_O_EXITKILL;
    ptrace::setoptions(launcher, follow | plain)?;
    block_all(launcher)?;
    Ok(launcher)
}

/// Here and not by the program `arrange`: another exec, and all of its calls traced, would take as long as the start.
fn arrange(handed_on: &[(RawFd, File)]) -> nix::Result<()> {
    for (number, file) in handed_on {
        // SAFETY: the number is higher than that of anything that is open here.
        let _ = unsafe { dup2_raw(file, *number) }?.into_raw_fd();
    }
    // SAFETY: no handler is set.
    unsafe { signal(Signal::SIGUSR1, SigHandler::SigIgn) }?;
    Ok(())
}

/// From its exec on: blocked before, it would not stop there.
fn block_all(process: Pid) -> nix::Result<()> {
    let all = u64::MAX;
    // SAFETY: the kernel's set of signals is read, which is that large.
    let blocked =
        unsafe { libc::ptrace(libc::PTRACE_SETSIGMASK, process.as_raw(), mem::size_of_val(&all), &raw const all) };
    Errno::result(blocked).map(drop)
}

impl Traced {
    fn new(role: Role, is_counted: bool) -> Self {
        Self { role, is_counted, calls: HashMap::new(), at_exit: AtExit::Nothing }
    }
}

impl Tracer {
    /// Until there is no descendant any more.
    fn trace(mut self) -> Result<(), Failure> {
        loop {
            let options = if self.held.is_empty() { WaitPidFlag::empty() } else { WaitPidFlag::WNOHANG };
            let stopped = match waitpid(None, Some(options | WaitPidFlag::__WALL)) {
                Err(Errno::ECHILD) => return Ok(()),
                status => status?,
            };
            let done = match stopped {
                WaitStatus::Exited(process, status) => self.see_end(process, status),
                WaitStatus::Signaled(process, signal, _) => self.see_end(process, 128 + signal as i32),
                WaitStatus::PtraceSyscall(process) => self.stop_at_call(process),
                WaitStatus::PtraceEvent(process, _, event) => self.see(process, event),
                WaitStatus::Stopped(process, Signal::SIGSTOP) if !self.processes.contains_key(&process) => {
                    self.unknown.insert(process);
                    self.adopt_orphans()
                }
                WaitStatus::Stopped(process, signal) => self.resume(process, deliver(signal)),
                _ => self.release_in_time(),
            };
            match done {
                Ok(()) | Err(Errno::ESRCH) => {} // killed in the middle of it
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Until its next call, or for good where the fault is in another process: that is quicker. In the daemon `main` is
    /// waited for.
    fn resume(&self, process: Pid, signal: Option<Signal>) -> nix::Result<()> {
        let role = self.processes.get(&process).map_or(Role::Other, |traced| traced.role);
        let is_concerned = self.fault.as_ref().is_none_or(|(place, _)| place.is_in(role));
        if self.lists || is_concerned || [Role::Daemon, Role::NewLauncher, Role::NewDaemon].contains(&role) {
            ptrace::syscall(process, signal)
        } else {
            ptrace::cont(process, signal)
        }
    }

    fn see_end(&mut self, process: Pid, status: i32) -> nix::Result<()> {
        let traced = self.processes.remove(&process);
        self.held.retain(|(held, _)| *held != process);
        let (first, role) = self.first;
        if let Some(role) = traced.map(|traced| traced.role).or((process == first).then_some(role)) {
            println!("exit {} {status}", role.name());
            self.last_ended = role;
        }
        if let Some((waiting, _)) = self.waits.take_if(|(_, victim)| *victim == process) {
            self.resume(waiting, None)?;
        }
        self.adopt_orphans()
    }

    fn release_in_time(&mut self) -> nix::Result<()> {
        let now = Instant::now();
        let (due, held) = self.held.drain(..).partition(|(_, time)| *time <= now);
        self.held = held;
        let due: Vec<_> = due;
        if due.is_empty() {
            thread::sleep(Duration::from_millis(1));
        }
        due.into_iter().try_for_each(|(process, _)| self.resume(process, None))
    }

    fn see(&mut self, process: Pid, event: i32) -> nix::Result<()> {
        if event != libc::PTRACE_EVENT_EXEC {
            self.see_fork(process)?;
        } else if let Some(traced) = self.processes.get_mut(&process) {
            traced.is_counted = false;
        }
        self.resume(process, None)
    }

    fn see_fork(&mut self, parent: Pid) -> nix::Result<()> {
        let Some(role) = self.processes.get(&parent).map(|parent| parent.role) else { return Ok(()) };
        let forks = self.forks.as_mut().filter(|_| role == Role::Leader);
        let is_next = forks.is_some_and(|forks| mem::replace(forks, *forks + 1) > 0);
        let role = if is_next { Role::NewLauncher } else { role.of_child() };
        let child = Pid::from_raw(i32::try_from(ptrace::getevent(parent)?).map_err(|_| Errno::ERANGE)?);
        self.processes.insert(child, Traced::new(role, true));
        if self.unknown.remove(&child) { self.resume(child, None) } else { Ok(()) }
    }

    /// Those whose parent was killed in its fork, and will not tell who they are. The launcher, a subreaper, is the
    /// next.
    fn adopt_orphans(&mut self) -> nix::Result<()> {
        let is_orphan = |process: &Pid| {
            let parent = Process(process.as_raw()).stat(4).and_then(|parent| parent.parse().ok()).map(Pid::from_raw);
            let parent = parent.and_then(|parent| self.processes.get(&parent));
            parent.is_none_or(|parent| parent.role.of_child() == self.last_ended)
        };
        let orphans: Vec<_> = self.unknown.extract_if(is_orphan).collect();
        orphans.into_iter().try_for_each(|orphan| {
            self.processes.insert(orphan, Traced::new(self.last_ended.of_child(), true));
            self.resume(orphan, None)
        })
    }

    fn stop_at_call(&mut self, process: Pid) -> nix::Result<()> {
        let Some(traced) = self.processes.get_mut(&process) else { return self.resume(process, None) };
        if ptrace::syscall_info(process)?.op != libc::PTRACE_SYSCALL_INFO_ENTRY {
            match mem::replace(&mut traced.at_exit, AtExit::Nothing) {
                AtExit::Nothing => {}
                AtExit::Fail(errno) => Call::of(process)?.fail(errno)?,
                AtExit::GiveBackLength(length) => Call::of(process)?.give_back_length(length)?,
            }
            return self.resume(process, None);
        }
        let call = Call::of(process)?;
        match call.mark() {
            Some(Mark::Start) => traced.is_counted = true,
            Some(Mark::Setup) => traced.is_counted = false,
            Some(Mark::Main) => {
                println!("main");
                self.processes.remove(&process);
                return ptrace::detach(process, None);
            }
            None if traced.is_counted => return self.begin(process, call),
            None => {}
        }
        self.resume(process, None)
    }

    /// A call of the start.
    fn begin(&mut self, process: Pid, call: Call) -> nix::Result<()> {
        let Some(traced) = self.processes.get_mut(&process) else { return Ok(()) };
        let role = traced.role;
        let occurrence = traced.calls.entry(call.name()).or_insert(0);
        *occurrence += 1;
        if self.lists {
            println!("call {} {} {}", role.name(), call.name(), call.object());
        }
        match &self.fault {
            Some((place, fault)) if place.is(role, call.name(), *occurrence) => self.go_wrong(process, call, *fault),
            _ => self.resume(process, None),
        }
    }

    fn tell_hit(&mut self) {
        if !mem::replace(&mut self.is_hit, true) {
            println!("hit");
        }
    }

    fn go_wrong(&mut self, process: Pid, call: Call, fault: Fault) -> nix::Result<()> {
        let victim = |role| self.processes.iter().find(|(_, traced)| traced.role == role).map(|(&process, _)| process);
        let at_exit = match fault {
            Fault::Error(errno) => {
                call.prevent()?;
                AtExit::Fail(errno)
            }
            Fault::LateError(errno) => AtExit::Fail(errno),
            Fault::Short => call.shorten()?.map_or(AtExit::Nothing, AtExit::GiveBackLength),
            Fault::Delay(time) => {
                self.tell_hit();
                self.held.push((process, Instant::now() + time));
                return Ok(());
            }
            Fault::Kill(role) => {
                // Once: the next daemon has the role of the one that was killed.
                let Some(victim) = victim(role).filter(|_| !self.is_hit) else { return self.resume(process, None) };
                self.tell_hit();
                self.waits = Some((process, victim)).filter(|(process, victim)| process != victim);
                return kill(victim, Signal::SIGKILL);
            }
        };
        self.tell_hit();
        if let Some(traced) = self.processes.get_mut(&process) {
            traced.at_exit = at_exit;
        }
        self.resume(process, None)
    }
}

/// A trace's own stops are none that the process is to see.
fn deliver(signal: Signal) -> Option<Signal> {
    (signal != Signal::SIGSTOP && signal != Signal::SIGTRAP).then_some(signal)
}
