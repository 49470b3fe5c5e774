//! A probe without the attribute, by `client start OPTIONS`, `start-traced`, `exit` or `spawn`; and a program that goes on,
//! by `client obey`: it obeys its test as a probe does, and starts others by the command `spawn OPTIONS`, and by `respawn`
//! with the same `Daemon`.

#![allow(unsafe_code)]

use std::{
    cell::RefCell,
    env,
    fs::File,
    io::{BufRead, BufReader, Write},
    os::{fd::OwnedFd, unix::net::UnixStream},
    path::PathBuf,
    process::{self, ExitCode},
    str::FromStr,
    sync::OnceLock,
    thread,
    time::Duration,
};

use daemon_rt::{Daemon, Error};
use nix::{
    libc,
    sys::{
        prctl,
        signal::{SigHandler, Signal, signal},
    },
    unistd,
};

use crate::probe::{Failure, Kept};

#[allow(dead_code, reason = "it is a program of its own")]
#[path = "probe.rs"]
mod probe;

fn main() -> Result<ExitCode, Failure> {
    let mut arguments = env::args().skip(1);
    let _ = TRACES.set(env::current_dir()?.join("trace"));
    match arguments.next().as_deref() {
        Some("start") => start(arguments, false),
        Some("start-traced") => {
            let _guard = leave_traces();
            start(arguments, false)
        }
        Some("exit") => start(arguments, true),
        Some("spawn") => {
            let mut daemon = Daemon::new();
            let kept = probe::obey_command_line(&mut daemon, arguments)?;
            daemon.spawn(|| probe::serve(kept)).map(|_| ExitCode::SUCCESS).or_else(|error| error.exit())
        }
        Some("obey") => go_on(arguments),
        _ => Err("start or obey".into()),
    }
}

fn start(arguments: impl Iterator<Item = String>, exits: bool) -> Result<ExitCode, Failure> {
    let mut daemon = Daemon::new();
    let kept = probe::obey_command_line(&mut daemon, arguments)?;
    let _guard = Trace("guard");
    match daemon.start() {
        Ok(()) => probe::serve(kept),
        Err(error) if exits => error.exit(),
        Err(error) => {
            println!("{}\n{}", told(&error), sight());
            Ok(error.exit_status().into())
        }
    }
}

/// With `trace`, it leaves a line in the file of that name for everything that runs at its end.
fn go_on(mut arguments: impl Iterator<Item = String>) -> Result<ExitCode, Failure> {
    let _guard = arguments.next().filter(|argument| argument == "trace").map(|_| leave_traces());
    let mut connection = BufReader::new(File::from(OwnedFd::from(UnixStream::connect(env::var("PROBE_SOCKET")?)?)));
    probe::answer(&mut connection, &sight())?;
    let (mut kept, mut daemon, mut command) = (Kept::default(), None, String::new());
    loop {
        command.clear();
        if connection.read_line(&mut command)? == 0 {
            process::exit(0); // the test is over
        }
        let (word, rest) = command.trim_end().split_once(' ').unwrap_or((command.trim_end(), ""));
        let said = match word {
            "return" => return Ok(ExitCode::SUCCESS),
            "look" => sight(),
            "spawn" => {
                let daemon = daemon.insert(Daemon::new());
                let words = rest.split(' ').filter(|word| !word.is_empty()).map(str::to_owned);
                match probe::obey_command_line(daemon, words) {
                    Ok(kept) => spawn(daemon, kept),
                    Err(error) => format!("error: {error:#}"),
                }
            }
            "respawn" => spawn(daemon.as_mut().ok_or("nothing to spawn again")?, Kept::default()),
            "handle" => {
                let handler: extern "C" fn(libc::c_int) = if rest == "SIGCHLD" { reap_all } else { nothing };
                // SAFETY: the handlers call async-signal-safe functions alone, signal-safety(7).
                unsafe { signal(Signal::from_str(rest)?, SigHandler::Handler(handler)) }?;
                String::new()
            }
            "stdout-to" => {
                unistd::dup2_stdout(File::options().write(true).open(rest)?)?;
                String::new()
            }
            "thread" => {
                thread::Builder::new().name("second".into()).spawn(|| thread::sleep(Duration::from_secs(1000)))?;
                String::new()
            }
            _ => probe::obey(word, rest, &mut kept).unwrap_or_else(|error| format!("error: {error:#}")),
        };
        probe::answer(&mut connection, &said)?;
    }
}

/// Everything that is to run once, or to be printed once.
fn leave_traces() -> Trace {
    THREAD_LOCAL.set(Some(Trace("thread-local")));
    // SAFETY: the function is there as long as the program is.
    unsafe { libc::atexit(exit_handler) };
    print!("from Rust, ");
    // SAFETY: the format ends with a NUL byte, and takes nothing.
    unsafe { libc::printf(c"from C, ".as_ptr()) };
    Trace("guard")
}

extern "C" fn nothing(_: libc::c_int) {}

extern "C" fn reap_all(_: libc::c_int) {
    // SAFETY: a null status is none.
    while unsafe { libc::waitpid(-1, std::ptr::null_mut(), libc::WNOHANG) } > 0 {}
}

fn spawn(daemon: &mut Daemon, kept: Kept) -> String {
    match daemon.spawn(|| probe::serve(kept)) {
        Ok(spawned) => format!("pid={}\nmessage={}", spawned.pid(), spawned.message().unwrap_or("none")),
        Err(error) => told(&error),
    }
}

fn told(error: &Error) -> String {
    let running = error.already_running().map_or("none".into(), |pid| pid.to_string());
    format!(
        "error={error:#}\nstatus={}\nrunning={running}\nstderr={}",
        error.exit_status(),
        error.stderr().escape_default()
    )
}

/// What a probe sees, and what a start could leave behind in a program that goes on.
fn sight() -> String {
    let children = std::fs::read_to_string(format!("/proc/self/task/{}/children", process::id())).unwrap_or_default();
    let adopts = prctl::get_child_subreaper().map_or_else(|error| error.to_string(), |adopts| adopts.to_string());
    let caught = probe::status("SigCgt");
    format!("{}\nSigCgt={caught}\nchildren={}\nadopts={adopts}", probe::sight(), children.trim())
}

thread_local! {
    static THREAD_LOCAL: RefCell<Option<Trace>> = const { RefCell::new(None) };
}

extern "C" fn exit_handler() {
    drop(Trace("exit handler"));
}

/// Also where the daemon has gone to another directory.
static TRACES: OnceLock<PathBuf> = OnceLock::new();

/// Leaves a line in the file `trace` when it is dropped.
struct Trace(&'static str);

impl Drop for Trace {
    fn drop(&mut self) {
        let line = format!("{} {}\n", self.0, process::id());
        let file = TRACES.get().and_then(|path| File::options().append(true).create(true).open(path).ok());
        let _ = file.map(|mut file| file.write_all(line.as_bytes()));
    }
}
