//! A daemon that tells what it sees, and does what its test says.
//!
//! Options on the command line are those of the attribute. In `main` it connects to the socket that `PROBE_SOCKET`
//! names, tells what it finds, and obeys one command a line. It ends when the connection does: no test leaves it
//! behind.

#![allow(unsafe_code)]

use std::{
    env,
    error::Error,
    ffi::{CStr, CString},
    fmt, fs,
    fs::File,
    io::{self, BufRead, BufReader, Read, Write},
    mem,
    net::TcpListener,
    os::{
        fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
        unix::{net::UnixStream, process::CommandExt},
    },
    panic,
    path::Path,
    process::{self, Command, ExitCode},
    str::FromStr,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc,
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use daemon_rt::{Daemon, Detach, PidFile, Respawn, Stdio};
use listenfd::ListenFd;
use nix::{
    fcntl::OFlag,
    libc,
    sched::{CloneFlags, unshare},
    sys::{
        resource::{Resource, setrlimit},
        signal::{SigHandler, SigSet, Signal, killpg, signal},
        stat::Mode,
    },
    unistd::{self, ForkResult},
};
use sd_notify::NotifyState;
use support::Mark;

#[path = "left_behind.rs"]
mod left_behind;
#[path = "listeners.rs"]
mod listeners;
#[path = "serving.rs"]
mod serving;
#[path = "sockets.rs"]
mod sockets;
#[path = "stopping.rs"]
mod stopping;
#[path = "taken_numbers.rs"]
mod taken_numbers;
#[path = "writing.rs"]
mod writing;

pub(crate) type Failure = Box<dyn Error>;

/// What `setup` opened or took, by the word that the command line has for it; and what it was told of the launch.
#[derive(Default)]
pub(crate) struct Kept {
    opened: Vec<(String, OwnedFd)>,
    launch: String,
    /// Whether to be ready before anything else.
    is_ready: bool,
    /// The launcher, if `main` is to write lines.
    writes_for: Option<String>,
    /// Whether `main` ends at once.
    ends: bool,
    /// What is needed behind that.
    memory: Vec<u8>,
}

fn setup(daemon: &mut Daemon) -> Result<Kept, Failure> {
    Mark::Setup.set();
    let kept = obey_command_line(daemon, env::args().skip(1));
    Mark::Start.set();
    kept
}

#[allow(clippy::too_many_lines, reason = "a line or two for each option")]
pub(crate) fn obey_command_line(
    daemon: &mut Daemon,
    mut arguments: impl Iterator<Item = String>,
) -> Result<Kept, Failure> {
    let mut kept = Kept::default();
    let mut variables = Vec::new();
    while let Some(option) = arguments.next() {
        // No argument can hold a NUL byte: `\0` stands for it.
        let mut value = || arguments.next().map(|value| value.replace("\\0", "\0")).ok_or("an option without a value");
        match option.as_str() {
            "--name" => _ = daemon.name(value()?),
            "--stdin" => _ = daemon.stdin(stdio(&value()?)?),
            "--stdout" => _ = daemon.stdout(stdio(&value()?)?),
            "--stderr" => _ = daemon.stderr(stdio(&value()?)?),
            "--umask" => match value()?.as_str() {
                "launcher" => _ = daemon.umask(None),
                number => _ = daemon.umask(u32::from_str_radix(number, 8)?),
            },
            "--chdir" => _ = daemon.chdir(value()?),
            "--chroot" => _ = daemon.chroot(value()?),
            "--user" => _ = daemon.user(&value()?),
            "--umask-of-daemon" => {
                let umask = u32::from_str_radix(&value()?, 8)?;
                if daemon.detaches() {
                    daemon.umask(umask);
                }
            }
            "--group" => _ = daemon.group(value()?),
            "--user-number" => _ = daemon.user(value()?.parse::<u32>()?),
            "--group-number" => _ = daemon.group(value()?.parse::<u32>()?),
            "--no-new-privs" => _ = daemon.no_new_privs(true),
            "--open-directory" => {
                let (path, flags) = (value()?, OFlag::O_CLOEXEC | OFlag::O_DIRECTORY);
                kept.opened.push((path.clone(), nix::fcntl::open(Path::new(&path), flags, Mode::empty())?));
            }
            "--open-path" => {
                let (path, flags) = (value()?, OFlag::O_CLOEXEC | OFlag::O_PATH);
                kept.opened.push((path.clone(), nix::fcntl::open(Path::new(&path), flags, Mode::empty())?));
            }
            "--connect" => {
                kept.opened.push(("connection".into(), UnixStream::connect(env::var("PROBE_SOCKET")?)?.into()));
            }
            "--keep-fds" => {
                let numbers = value()?.split(',').map(RawFd::from_str).collect::<Result<Vec<_>, _>>()?;
                daemon.keep_fds(numbers);
            }
            "--keep-env" => _ = daemon.keep_env(value()?.split(',')),
            "--variable" => {
                let value = value()?;
                let (name, value) = value.split_once('=').ok_or("NAME=VALUE")?;
                // SAFETY: there is no other thread.
                unsafe { env::set_var(name, value) };
                variables.push(name.to_owned());
                daemon.keep_env(&variables);
            }
            "--panic-hook" => {
                let path = std::path::absolute(value()?)?;
                panic::set_hook(Box::new(move |panic| _ = fs::write(&path, panic.to_string())));
            }
            "--listen" => listeners::listen(&value()?)?,
            "--make" => left_behind::make(&value()?)?,
            "--reopen-logs" => _ = daemon.reopen_logs(true),
            "--pidfile" => _ = daemon.pidfile(value()?),
            "--lock" => daemon.lock()?,
            "--exit" => process::exit(value()?.parse()?),
            "--obey" => daemon.obey(value()?.parse()?)?,
            "--stop" => {
                println!("{:?}", PidFile::new(value()?).stop(Duration::from_secs(10))?);
                process::exit(0);
            }
            "--stop-first" => _ = PidFile::new(value()?).stop(Duration::from_secs(10))?,
            "--foreground" => _ = daemon.detach(Detach::Never),
            "--detach" => _ = daemon.detach(verdict(&value()?)?),
            "--notify" => _ = daemon.notify(true),
            "--ready-fd" => _ = daemon.ready_fd(value()?.parse()?),
            "--ready" => kept.is_ready = true,
            "--write-lines" => kept.writes_for = Some(process::id().to_string()),
            "--end-in-main" => kept.ends = true,
            "--without-a-byte" => setrlimit(Resource::RLIMIT_FSIZE, 0, 0)?,
            "--keep-memory" => kept.memory = vec![1; value()?.parse()?],
            "--ready-in-setup" => daemon_rt::ready()?,
            "--start-timeout" => _ = daemon.start_timeout(Duration::from_millis(value()?.parse()?)),
            "--stop-timeout" => _ = daemon.stop_timeout(Duration::from_millis(value()?.parse()?)),
            "--respawn" => _ = daemon.respawn(respawn(&value()?)?),
            "--stop-requested" => stopping::listen()?,
            "--await-stop-for" => stopping::await_for(Duration::from_millis(value()?.parse()?))?,
            "--ask-once-to-stop" => stopping::ask_once()?,
            "--note-numbers" => taken_numbers::note()?,
            "--take-numbers" => {
                taken_numbers::close()?;
                taken_numbers::take()?;
            }
            "--open" => {
                let path = value()?;
                kept.opened.push((path.clone(), File::options().append(true).create(true).open(path)?.into()));
            }
            "--serve" => kept.opened.push(("service".into(), serving::bind(&value()?)?)),
            "--serve-gracefully" => kept.opened.push(("graceful service".into(), serving::bind(&value()?)?)),
            "--socket" => {
                let index = kept.opened.iter().filter(|(name, _)| name == "socket").count();
                kept.opened.push(("socket".into(), sockets::open(daemon, index, &value()?)?));
            }
            "--other-socket" => kept.opened.push(("other".into(), sockets::open(daemon, usize::MAX, &value()?)?)),
            "--clone-sockets" => {
                let is_socket = |(name, _): &&(String, OwnedFd)| name == "socket";
                let clones = kept.opened.iter().filter(is_socket).map(|(_, socket)| socket.try_clone());
                let clones = clones.collect::<Result<Vec<_>, _>>()?;
                kept.opened.extend(clones.into_iter().map(|clone| ("clone".into(), clone)));
            }
            "--serve-passed" => kept.opened.push(("service".into(), serving::passed_or_stored()?)),
            "--listenfd" => kept.opened.push(("listener".into(), passed_listener()?)),
            "--take" => {
                let number = value()?;
                kept.opened.push((number.clone(), daemon.take_fd(number.parse()?)?));
            }
            "--out-of-effect" => put_out_of_effect(value()?.parse()?)?,
            "--go-to" => env::set_current_dir(value()?)?,
            "--close" => unistd::close(value()?.parse::<RawFd>()?)?,
            "--open-as" => {
                let number: RawFd = value()?.parse()?;
                let file = File::options().append(true).create(true).open("reused")?;
                // SAFETY: the number was closed before.
                kept.opened.push(("reused".into(), unsafe { unistd::dup2_raw(&file, number) }?));
            }
            "--ignore-signal" => {
                // SAFETY: no handler is set.
                unsafe { signal(Signal::from_str(&value()?)?, SigHandler::SigIgn) }?;
            }
            "--default-signal" => {
                // SAFETY: no handler is set.
                unsafe { signal(Signal::from_str(&value()?)?, SigHandler::SigDfl) }?;
            }
            "--block-signal" => SigSet::from(Signal::from_str(&value()?)?).thread_block()?,
            "--exit-on" => {
                extern "C" fn exit(_: libc::c_int) {
                    // SAFETY: may be called in a handler, signal-safety(7).
                    unsafe { libc::_exit(0) }
                }
                // SAFETY: see the handler.
                unsafe { signal(Signal::from_str(&value()?)?, SigHandler::Handler(exit)) }?;
            }
            "--print" => print!("{}", value()?),
            "--printf" => printf(&CString::new(value()?)?),
            "--read" => print!("{}", fs::read_to_string(value()?)?),
            "--fail" => return Err(Caused(value()?).into()),
            "--exit-status" => _ = daemon.exit_status(value()?.parse()?),
            "--joined-thread" => thread::spawn(linger).join().map_err(|_| "thread")?,
            "--thread" => {
                let (named, is_named) = mpsc::channel();
                thread::Builder::new().name("second".into()).spawn(move || {
                    let _ = named.send(());
                    thread::sleep(Duration::from_secs(1000));
                })?;
                is_named.recv()?; // it names itself
            }
            "--handle-signal" => {
                extern "C" fn nothing(_: libc::c_int) {}
                // SAFETY: the handler does nothing.
                unsafe { signal(Signal::from_str(&value()?)?, SigHandler::Handler(nothing)) }?;
            }
            other => return Err(format!("unknown option {other}").into()),
        }
    }
    let launched_by = daemon.launched_by();
    let (id, detaches) = (process::id(), launched_by.detaches());
    kept.launch = format!("launcher={id}\nlaunched_by={launched_by}\ndetaches={detaches}\n");
    Ok(kept)
}

/// One of the first 32 capabilities: permitted still.
fn put_out_of_effect(capability: u32) -> io::Result<()> {
    let mut header = [0x2008_0522_u32, 0]; // version 3, of this process
    let mut sets = [0_u32; 6];
    // SAFETY: this version has two times three sets.
    nix::errno::Errno::result(unsafe { libc::syscall(libc::SYS_capget, header.as_mut_ptr(), sets.as_mut_ptr()) })?;
    sets[0] &= !(1 << capability); // the first one is the effective
    // SAFETY: as above.
    nix::errno::Errno::result(unsafe { libc::syscall(libc::SYS_capset, header.as_mut_ptr(), sets.as_ptr()) })?;
    Ok(())
}

/// A thread with files of its own to close is there for some time after it was joined.
fn linger() {
    let _ = unshare(CloneFlags::CLONE_FILES);
    let _pipes: Vec<_> = (0..400).map_while(|_| unistd::pipe().ok()).map(mem::ManuallyDrop::new).collect();
}

/// As anyhow's errors, it tells its cause where `{:#}` asks for it.
#[derive(Debug)]
struct Caused(String);

impl fmt::Display for Caused {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)?;
        if formatter.alternate() { formatter.write_str(": the cause") } else { Ok(()) }
    }
}

impl Error for Caused {}

/// As anyhow's errors, it tells its causes on lines of their own.
struct Causes;

impl fmt::Debug for Causes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("no luck\n\nCaused by:\n    0: bad\tmood\n    1: \u{1b}[31mred")
    }
}

impl fmt::Display for Causes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("no luck")
    }
}

impl Error for Causes {}

fn printf(text: &CStr) {
    // SAFETY: both end with a NUL byte, and the format takes one string.
    unsafe { libc::printf(c"%s".as_ptr(), text.as_ptr()) };
}

/// `always` or `on-failure`; and behind it, if they are given, the limit, its period and the delays in milliseconds.
fn respawn(value: &str) -> Result<Respawn, Failure> {
    let mut words = value.split(',');
    let mut respawn = match words.next() {
        Some("always") => Respawn::always(),
        Some("on-failure") => Respawn::on_failure(),
        other => return Err(format!("unknown respawn {other:?}").into()),
    };
    let numbers = words.map(str::parse).collect::<Result<Vec<u64>, _>>()?;
    let milliseconds = Duration::from_millis;
    if let [limit, period, ..] = numbers[..] {
        respawn = respawn.at_most(limit.try_into()?, milliseconds(period));
    }
    if let [_, _, min, max] = numbers[..] {
        respawn = respawn.delay(milliseconds(min), milliseconds(max));
    }
    Ok(respawn)
}

fn verdict(value: &str) -> Result<Detach, Failure> {
    match value {
        "always" => Ok(Detach::Always),
        "never" => Ok(Detach::Never),
        "auto" => Ok(Detach::Auto),
        other => Err(format!("unknown verdict {other}").into()),
    }
}

fn stdio(value: &str) -> Result<Stdio, Failure> {
    Ok(match value.split_once(':') {
        Some(("truncate", path)) => Stdio::truncate(path),
        Some(("rotate", rest)) => {
            let (limit, rest) = rest.split_once(':').ok_or("rotate:BYTES,KEEP:STDIO")?;
            let (bytes, keep) = limit.split_once(',').ok_or("BYTES,KEEP")?;
            stdio(rest)?.rotate(bytes.parse()?, keep.parse()?)
        }
        Some(("pipe", command)) => {
            let mut shell = Command::new("sh");
            let [input, output] = [process::Stdio::piped(), process::Stdio::null()];
            let mut child =
                shell.args(["-c", command]).stdin(input).stdout(output).stderr(process::Stdio::null()).spawn()?;
            OwnedFd::from(child.stdin.take().ok_or("no pipe")?).into()
        }
        Some(("file", path)) => File::options().read(true).append(true).create(true).open(path)?.into(),
        // SAFETY: a standard stream, which nothing in here owns.
        Some(("number", number)) => unsafe { OwnedFd::from_raw_fd(number.parse()?) }.into(),
        None if value == "inherited" => Stdio::inherit(),
        None if value == "nothing" => Stdio::null(),
        _ => value.into(),
    })
}

#[daemon_rt::daemon(setup = setup)]
pub(crate) fn main(kept: Kept) -> Result<ExitCode, Failure> {
    serve(kept)
}

pub(crate) fn serve(mut kept: Kept) -> Result<ExitCode, Failure> {
    if kept.ends {
        process::exit(3);
    }
    if let Some(launcher) = &kept.writes_for {
        writing::begin(launcher)?;
    }
    if let Some(index) = kept.opened.iter().position(|(name, _)| name == "service") {
        serving::serve(kept.opened.swap_remove(index).1)?;
    }
    if let Some(index) = kept.opened.iter().position(|(name, _)| name == "graceful service") {
        serving::serve_until_asked_to_stop(kept.opened.swap_remove(index).1)?;
        return Ok(ExitCode::SUCCESS);
    }
    if kept.is_ready {
        daemon_rt::ready()?;
        drop(mem::take(&mut kept.memory));
    }
    Mark::Main.set();
    let sight = kept.launch.clone() + &sight();
    // From a jail, or as another user, the socket may be out of reach.
    let connection = kept.opened.iter().position(|(name, _)| name == "connection");
    let stream = match connection {
        Some(index) => kept.opened.swap_remove(index).1,
        None => UnixStream::connect(env::var("PROBE_SOCKET")?)?.into(),
    };
    let stream = File::from(stream); // written to by write(2): every send(2) is one of the start's
    let mut connection = BufReader::new(stream);
    answer(&mut connection, &sight)?;
    let mut command = String::new();
    loop {
        command.clear();
        if connection.read_line(&mut command)? == 0 {
            process::exit(0); // the test is over
        }
        let (word, rest) = command.trim_end().split_once(' ').unwrap_or((command.trim_end(), ""));
        if word == "return-causes" {
            return Err(Causes.into());
        }
        if word == "return" {
            return if rest.is_empty() { Ok(ExitCode::SUCCESS) } else { Err(rest.into()) };
        }
        if word == "return-status" {
            return Ok(rest.parse::<u8>()?.into());
        }
        let said = obey(word, rest, &mut kept).unwrap_or_else(|error| format!("error: {error:#}"));
        answer(&mut connection, &said)?;
    }
}

pub(crate) fn answer(connection: &mut BufReader<File>, text: &str) -> io::Result<()> {
    connection.get_mut().write_all(format!("{text}\n.\n").as_bytes())
}

#[allow(clippy::too_many_lines, reason = "a line or two for each command")]
pub(crate) fn obey(word: &str, rest: &str, kept: &mut Kept) -> Result<String, Failure> {
    let mut said = String::new();
    match word {
        "look" => said = sight(),
        "ready" => daemon_rt::ready()?,
        "ready-with" => daemon_rt::ready_with(rest.replace("\\n", "\n"))?,
        "reopen" => daemon_rt::reopen_logs()?,
        "rotate" => daemon_rt::rotate_logs()?,
        "rotate-in-worker" => said = in_worker(|| format!("{:?}", daemon_rt::rotate_logs()))?,
        "rotate-as-process-1" => {
            unshare(CloneFlags::CLONE_NEWPID)?;
            said = in_worker(|| format!("{} {:?}", process::id(), daemon_rt::rotate_logs()))?;
        }
        "begin-to-rotate" => {
            thread::spawn(|| while daemon_rt::rotate_logs().is_ok() && !WRITERS_END.load(Relaxed) {});
        }
        "rotate-and-leave-users" => {
            daemon_rt::rotate_logs()?;
            unshare(CloneFlags::CLONE_NEWUSER)?;
        }
        // What the system call said that the signal interrupted, it says still.
        "errno-after" => {
            nix::errno::Errno::set_raw(12345);
            // SAFETY: has no preconditions.
            unsafe { libc::raise(rest.parse()?) };
            said = nix::errno::Errno::last_raw().to_string();
        }
        "begin-lines" => begin_lines(rest.parse()?, Duration::from_millis(1)), // in moderation
        "begin-lines-at-once" => begin_lines(rest.parse()?, Duration::ZERO),
        "end-lines" => said = end_lines()?,
        "begin-to-reopen" => _ = thread::spawn(daemon_rt::reopen_logs),
        "reopen-in-threads" => reopen_in_threads(rest)?,
        "listen" => listeners::listen(rest)?,
        "listen-to-stop" => stopping::listen()?,
        "listen-to-stop-in-threads" => stopping::listen_in_threads()?,
        "is-stop-requested" => said = stopping::is_requested().to_string(),
        "await-stop-by-first" => stopping::wait_by_first()?,
        "await-stop-without-descriptors" => stopping::await_without_descriptors()?,
        "is-stop-readable" => said = stopping::is_readable()?.to_string(),
        "show-stop" => said = stopping::show()?,
        "ask-once-to-stop" => stopping::ask_once()?,
        "is-woken-to-stop" => said = stopping::is_woken().to_string(),
        "await-stop" => stopping::await_by(rest)?,
        "await-stop-for" => stopping::await_for(Duration::from_millis(rest.parse()?))?,
        "begin-to-await-stop" => stopping::begin_to_await(),
        "await-stop-beside-a-panic" => stopping::await_beside_a_panic()?,
        "listen-with-descriptors" => said = stopping::listen_with(rest.parse()?)?.to_string(),
        "note-numbers" => taken_numbers::note()?,
        "close-numbers" => taken_numbers::close()?,
        "take-numbers" => taken_numbers::take()?,
        "look-at-taken-numbers" => taken_numbers::look()?,
        "is-stop-awaited" => said = stopping::is_awaited().to_string(),
        "heard" => said = listeners::heard().to_string(),
        "listen-for-nothing" => {
            // SAFETY: no handler is set.
            unsafe { signal(Signal::SIGHUP, SigHandler::SigDfl) }?;
        }
        "output" => _ = unistd::write(io::stdout(), format!("{rest}\n").as_bytes())?,
        "input" => said = unistd::read(io::stdin(), &mut [0; 64])?.to_string(),
        "ready-in-thread" => thread::spawn(daemon_rt::ready).join().map_err(|_| "thread")??,
        "begin-ready-with" => {
            let word = rest.to_owned();
            thread::spawn(|| daemon_rt::ready_with(word));
        }
        "hold-stdout-in-thread" => hold_stdout_in_thread()?,
        "start-again" => said = format!("{:?}", Daemon::new().start()),
        "spawn-again" => said = format!("{:?}", Daemon::new().spawn(|| ())),
        "spawn-in-worker" => said = in_worker(|| format!("{:?}", Daemon::new().spawn(|| ())))?,
        "run-again" => said = format!("{:?}", Daemon::default().run(|| println!("it ran again"))),
        "exit" => process::exit(rest.parse()?),
        "abort" => process::abort(),
        // SAFETY: there is none: the crash is what the test wants.
        "crash" => unsafe { std::ptr::null_mut::<u8>().write_volatile(1) },
        "panic" => panic!("{}", rest.replace("\\n", "\n")),
        "panic-in-threads" => {
            for number in 0..rest.parse()? {
                let thread = thread::Builder::new().name("worker".into());
                let _ = thread.spawn(move || panic!("number {number}"))?.join();
            }
        }
        // SAFETY: has no preconditions.
        "raise" => _ = unsafe { libc::raise(rest.parse()?) },
        "print" => print!("{rest}"),
        "stdout" => println!("{rest}"),
        "stderr" => eprintln!("{rest}"),
        "to-leader" => write_to_leader(rest)?,
        "fill-stderr" => fill_stderr(rest.parse()?)?,
        "stdin" => _ = io::stdin().read_to_string(&mut said)?,
        "write" => {
            let (name, text) = rest.split_once(' ').ok_or("write NAME TEXT")?;
            let (_, file) = kept.opened.iter().find(|(kept, _)| kept == name).ok_or("nothing of that name")?;
            nix::unistd::write(file, text.as_bytes())?;
        }
        "drop" => kept.opened.clear(),
        "fork-and-exit" => fork_and_exit()?,
        "fork-as-process-1-and-exit" => {
            unshare(CloneFlags::CLONE_NEWPID)?;
            fork_and_exit()?;
        }
        "fork" => said = fork()?.to_string(),
        "fork-and-listen" => said = fork_and_listen()?.to_string(),
        "fork-and-listen-as-process-1" => {
            unshare(CloneFlags::CLONE_NEWPID)?;
            said = fork_and_listen()?.to_string();
        }
        "fork-as-process-1" => {
            unshare(CloneFlags::CLONE_NEWPID)?;
            said = fork()?.to_string();
        }
        "forge" => said = forge(rest),
        "hold-memory" => mem::forget(std::hint::black_box(vec![1_u8; rest.parse::<usize>()? << 20])),
        "unlock" => {
            let (number, _) = descriptors().into_iter().find(|(_, path)| path.ends_with(rest)).ok_or("not open")?;
            // SAFETY: has no preconditions.
            nix::errno::Errno::result(unsafe { libc::flock(number, libc::LOCK_UN) })?;
        }
        "share-descriptors" => said = share_descriptors()?.to_string(),
        "spawn" => said = Command::new("sleep").arg("1000").spawn()?.id().to_string(),
        "shell" => said = Command::new("sh").arg("-c").arg(rest).spawn()?.id().to_string(),
        "exec-shell" => return Err(Command::new("sh").arg("-c").arg(rest).exec().into()),
        "exec" => return Err(Command::new("sleep").arg("1000").exec().into()),
        "kill-group" => killpg(unistd::getpgrp(), Signal::from_str(rest)?)?,
        "leave-group" => _ = unistd::setsid()?,
        "open-terminal" => {
            let terminal = File::options().read(true).write(true).open(rest)?;
            said = sight();
            drop(terminal);
        }
        "alarm" => said = left_behind::alarm().to_string(),
        "variable" => said = env::var(rest).unwrap_or_else(|error| error.to_string()),
        "environment-of-child" => {
            said = String::from_utf8(Command::new("/bin/cat").arg("/proc/self/environ").output()?.stdout)?;
        }
        "read" => said = fs::read_to_string(rest)?,
        "list" => {
            let names: Result<Vec<_>, _> =
                fs::read_dir(rest)?.map(|entry| entry.map(|entry| entry.file_name())).collect();
            let mut names: Vec<_> = names?.into_iter().filter_map(|name| name.into_string().ok()).collect();
            names.sort();
            said = names.join(" ");
        }
        "escape" => said = escape(rest),
        "listenfd" => kept.opened.push(("listener".into(), passed_listener()?)),
        "greet" => {
            let (_, listener) = kept.opened.iter().find(|(kept, _)| kept == "listener").ok_or("no listener")?;
            TcpListener::from(listener.try_clone()?).accept()?.0.write_all(rest.as_bytes())?;
        }
        "watchdog" => said = format!("{:?}", sd_notify::watchdog_enabled()),
        "notify" => sd_notify::notify(&[NotifyState::Custom(rest)])?,
        "block-signal" => SigSet::from(Signal::from_str(rest)?).thread_block()?,
        // SAFETY: the function takes and returns nothing, and waits.
        "stay-at-exit" => _ = unsafe { libc::atexit(stay) },
        "trace-me" => nix::sys::ptrace::traceme()?,
        "become-root" => unistd::setresuid(0.into(), 0.into(), 0.into())?,
        "key" => said = key(rest)?,
        "pidfd" => said = pidfd()?,
        "close" => unistd::close(rest.parse::<RawFd>()?)?,
        "create" => _ = File::create(rest)?,
        "open" => kept.opened.push((rest.into(), File::create(rest)?.into())),
        "hang-up-in-shared-memory" => hang_up_in_shared_memory()?,
        "replace-stderr" => unistd::dup2_stderr(File::create(rest)?)?,
        "replace-by-link" => {
            let (path, target) = rest.split_once(' ').ok_or("replace-by-link PATH TARGET")?;
            fs::remove_file(path)?;
            std::os::unix::fs::symlink(target, path)?;
        }
        other => return Err(format!("unknown command {other}").into()),
    }
    Ok(said)
}

/// To the line on which the leader waits for word: a socket without a name.
fn write_to_leader(rest: &str) -> Result<(), Failure> {
    let (byte, count) = rest.split_once(' ').ok_or("to-leader BYTE COUNT")?;
    let is_line = |number: RawFd| {
        // SAFETY: a socket that stays open, and is only borrowed.
        let socket = mem::ManuallyDrop::new(unsafe { UnixStream::from_raw_fd(number) });
        socket.peer_addr().is_ok_and(|peer| peer.is_unnamed())
    };
    let mut sockets = descriptors().into_iter().filter(|(_, target)| target.starts_with("socket:"));
    let (number, _) = sockets.find(|(number, _)| is_line(*number)).ok_or("no line to the leader")?;
    // SAFETY: as above.
    let mut line = mem::ManuallyDrop::new(unsafe { File::from_raw_fd(number) });
    write_repeatedly(&mut *line, byte.parse()?, count.parse()?)
}

fn fill_stderr(megabytes: usize) -> Result<(), Failure> {
    write_repeatedly(&mut io::stderr(), b'x', megabytes << 20)?;
    write_repeatedly(&mut io::stderr(), b'y', 64 << 10)
}

fn write_repeatedly(file: &mut impl Write, byte: u8, count: usize) -> Result<(), Failure> {
    let bytes = vec![byte; 64 << 10];
    let mut left = count;
    while left > 0 {
        left -= file.write(&bytes[..left.min(bytes.len())])?;
    }
    Ok(())
}

fn reopen_in_threads(rest: &str) -> Result<(), Failure> {
    let (threads, count) = rest.split_once(' ').ok_or("reopen-in-threads THREADS COUNT")?;
    let (threads, count): (u32, u32) = (threads.parse()?, count.parse()?);
    let reopen = move || (0..count).try_for_each(|_| daemon_rt::reopen_logs());
    let threads: Vec<_> = (0..threads).map(|_| thread::spawn(reopen)).collect();
    threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| "thread")?.map_err(Failure::from))
}

/// As a thread does that writes one line after another.
fn hold_stdout_in_thread() -> Result<(), Failure> {
    let (say, hear) = mpsc::channel();
    thread::spawn(move || {
        let _lock = io::stdout().lock();
        let _ = say.send(());
        thread::sleep(Duration::from_secs(1000));
    });
    Ok(hear.recv()?)
}

static WRITERS: Mutex<Vec<JoinHandle<u32>>> = Mutex::new(Vec::new());
static WRITERS_END: AtomicBool = AtomicBool::new(false);

/// Has so many threads write numbered lines, with a rest after each hundred.
fn begin_lines(threads: u32, rest: Duration) {
    let write = move |thread| {
        for number in 0.. {
            println!("thread {thread} line {number} {:.>60}", "");
            if number % 100 == 0 {
                if !rest.is_zero() {
                    thread::sleep(rest);
                }
                if WRITERS_END.load(Relaxed) {
                    return number + 1;
                }
            }
        }
        u32::MAX
    };
    let writers = (0..threads).map(|thread| thread::spawn(move || write(thread)));
    WRITERS.lock().unwrap_or_else(PoisonError::into_inner).extend(writers);
}

/// How many lines each of them has written.
fn end_lines() -> Result<String, Failure> {
    WRITERS_END.store(true, Relaxed);
    let writers = mem::take(&mut *WRITERS.lock().unwrap_or_else(PoisonError::into_inner));
    let counts: Result<Vec<_>, _> =
        writers.into_iter().map(|writer| writer.join().map(|count| count.to_string())).collect();
    Ok(counts.map_err(|_| "a thread")?.join(" "))
}

fn passed_listener() -> Result<OwnedFd, Failure> {
    Ok(ListenFd::from_env().take_tcp_listener(0)?.ok_or("no listener was passed")?.into())
}

/// The inode of a pidfd of this process.
fn pidfd() -> Result<String, Failure> {
    // SAFETY: a new descriptor is returned, or an error.
    let pidfd = unsafe { libc::syscall(libc::SYS_pidfd_open, process::id(), 0) };
    // SAFETY: just opened, and nobody else's; no error is positive.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd.try_into().ok().filter(|&fd| fd > 0).ok_or("no pidfd")?) };
    Ok(nix::sys::stat::fstat(&pidfd)?.st_ino.to_string())
}

/// What a key in reach of this process says, `request_key(2)`.
fn key(name: &str) -> Result<String, Failure> {
    let name = CString::new(name)?;
    let mut words = [0_u8; 64];
    // SAFETY: both texts end with a NUL byte; nothing is asked of user space.
    let key = unsafe { libc::syscall(libc::SYS_request_key, c"user".as_ptr(), name.as_ptr(), 0, 0) };
    let key = nix::errno::Errno::result(key)?;
    // SAFETY: the length is that of the buffer.
    let read = unsafe { libc::syscall(libc::SYS_keyctl, libc::KEYCTL_READ, key, words.as_mut_ptr(), words.len()) };
    let length = usize::try_from(nix::errno::Errno::result(read)?)?;
    Ok(String::from_utf8_lossy(&words[..length.min(words.len())]).into_owned())
}

extern "C" fn stay() {
    thread::sleep(Duration::from_secs(1000));
}

/// What a worker says that is forked without exec.
fn in_worker(work: impl FnOnce() -> String) -> Result<String, Failure> {
    let (mut here, mut there) = UnixStream::pair()?;
    let mut said = String::new();
    // SAFETY: besides the probe there is at most the thread that rotates logs, and the C library knows how to fork with it.
    match unsafe { unistd::fork() }? {
        ForkResult::Parent { child } => {
            drop(there);
            here.read_to_string(&mut said)?;
            nix::sys::wait::waitpid(child, None)?;
        }
        ForkResult::Child => {
            let _ = there.write_all(work().as_bytes());
            // SAFETY: has no preconditions.
            unsafe { libc::_exit(0) }
        }
    }
    Ok(said)
}

/// A worker that tells by files. Returns its exit status.
fn fork_and_listen() -> Result<i32, Failure> {
    // SAFETY: no other thread holds a lock that the worker takes.
    let ForkResult::Parent { child } = unsafe { unistd::fork() }? else {
        let tell = |name| {
            File::create(Path::new(&env::var("PROBE_SOCKET").unwrap_or_default()).with_file_name(name)).map(drop)
        };
        let stop = daemon_rt::stop_requested();
        let told = stop.map_err(io::Error::from).and_then(|stop| {
            tell("listens")?;
            stopping::block_on(stop);
            tell("asked")
        });
        // SAFETY: has no preconditions.
        unsafe { libc::_exit(i32::from(told.is_err())) }
    };
    match nix::sys::wait::waitpid(child, None)? {
        nix::sys::wait::WaitStatus::Exited(_, status) => Ok(status),
        other => Err(format!("{other:?}").into()),
    }
}

/// A worker that exits as C programs do, with its atexit handlers.
fn fork_and_exit() -> Result<(), Failure> {
    // SAFETY: the probe has one thread.
    match unsafe { unistd::fork() }? {
        ForkResult::Parent { child } => _ = nix::sys::wait::waitpid(child, None)?,
        ForkResult::Child => process::exit(0),
    }
    Ok(())
}

/// In a child that has the memory in common, but neither the process id nor descriptors.
fn hang_up_in_shared_memory() -> Result<(), Failure> {
    let mut stack = vec![0; 1 << 16];
    let hang_up = Box::new(|| {
        // SAFETY: has no preconditions.
        unsafe { libc::kill(libc::getpid(), libc::SIGHUP) };
        0
    });
    // SAFETY: this thread waits as long as the child runs, which makes system calls and nothing else.
    let child = unsafe { nix::sched::clone(hang_up, &mut stack, CloneFlags::CLONE_VM, Some(libc::SIGCHLD)) }?;
    nix::sys::wait::waitpid(child, None)?;
    Ok(())
}

/// A worker that never execs holds everything that the daemon has open.
fn fork() -> Result<unistd::Pid, Failure> {
    // SAFETY: the probe has one thread.
    match unsafe { unistd::fork() }? {
        ForkResult::Parent { child } => Ok(child),
        ForkResult::Child => loop {
            thread::sleep(Duration::from_secs(1000));
        },
    }
}

/// A worker with the same table of descriptors, and so the same record locks, which it keeps when the daemon has ended or
/// executes another program.
fn share_descriptors() -> Result<libc::c_long, Failure> {
    let flags = CloneFlags::CLONE_FILES.bits() | libc::SIGCHLD;
    // SAFETY: without memory in common it is a fork(2), and the probe has one thread.
    match unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) } {
        0 => loop {
            thread::sleep(Duration::from_secs(1000));
        },
        child => Ok(nix::errno::Errno::result(child)?),
    }
}

/// Tries to change a file by every way that an open descriptor of it gives, and says which of them it was.
fn forge(file: &str) -> String {
    let mut ways = Vec::new();
    for (number, _) in descriptors().into_iter().filter(|(_, target)| target == file) {
        // SAFETY: a descriptor of this process, which is borrowed only as long as it takes to write.
        let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
        if nix::sys::uio::pwrite(descriptor, b"1\n", 0).is_ok() || unistd::ftruncate(descriptor, 0).is_ok() {
            ways.push(format!("write to {number}"));
        }
        if File::options().write(true).open(format!("/proc/self/fd/{number}")).is_ok() {
            ways.push(format!("open {number} again"));
        }
        if nix::sys::stat::fchmod(descriptor, Mode::S_IRWXO).is_ok() {
            ways.push(format!("chmod {number}"));
        }
    }
    if fs::write(file, "1\n").is_ok() {
        ways.push("open it".into());
    }
    ways.join(", ")
}

/// Tries to get out of a jail through every descriptor that may be open, and says which of them led to that file.
fn escape(file: &str) -> String {
    let mut ways = Vec::new();
    for number in 0..1024 {
        // SAFETY: has no preconditions; a number that is not open, or no directory, is refused.
        if unsafe { libc::fchdir(number) } != 0 && number != 0 {
            continue;
        }
        // At first from where it is.
        for _ in 0..32 {
            let _ = env::set_current_dir("..");
        }
        if Path::new(file.trim_start_matches('/')).exists() {
            ways.push(number.to_string());
        }
    }
    ways.join(",")
}

/// What this process finds itself to be, as lines of `key=value`.
pub(crate) fn sight() -> String {
    let mut sight = String::new();
    let mut tell = |key: &str, value: &str| sight.extend([key, "=", value, "\n"]);
    tell("pid", &process::id().to_string());
    tell("parent", &unistd::getppid().to_string());
    tell("group", &unistd::getpgrp().to_string());
    tell("session", &unistd::getsid(None).map_or_else(|error| error.to_string(), |session| session.to_string()));
    tell("terminal", &terminal());
    tell("directory", &env::current_dir().map_or_else(|error| error.to_string(), |path| path.display().to_string()));
    for key in ["Umask", "SigBlk", "SigIgn"] {
        tell(key, &status(key));
    }
    let descriptors = descriptors();
    let on_exec: Vec<_> =
        descriptors.iter().filter(|(number, _)| closes_on_exec(*number)).map(|(n, _)| n.to_string()).collect();
    tell("close_on_exec", &on_exec.join(","));
    for (number, target) in descriptors {
        tell(&format!("fd{number}"), &target);
    }
    sight.pop();
    sight
}

fn terminal() -> String {
    match File::open("/dev/tty") {
        Ok(_) => "some".into(),
        Err(error) if error.raw_os_error() == Some(libc::ENXIO) => "none".into(),
        Err(error) => error.to_string(),
    }
}

pub(crate) fn status(key: &str) -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let value = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    value.unwrap_or("unknown").trim().to_owned()
}

/// All that are open, but for the one that lists them.
fn descriptors() -> Vec<(RawFd, String)> {
    let Ok(directory) =
        nix::dir::Dir::open("/proc/self/fd", nix::fcntl::OFlag::O_RDONLY, nix::sys::stat::Mode::empty())
    else {
        return Vec::new();
    };
    let own = directory.as_raw_fd();
    let mut found: Vec<_> = directory
        .into_iter()
        .filter_map(|entry| entry.ok()?.file_name().to_str().ok()?.parse::<RawFd>().ok())
        .filter(|&number| number != own)
        .map(|number| (number, link(Path::new(&format!("/proc/self/fd/{number}")))))
        .collect();
    found.sort_unstable();
    found
}

fn closes_on_exec(number: RawFd) -> bool {
    // SAFETY: only asks.
    unsafe { libc::fcntl(number, libc::F_GETFD) & libc::FD_CLOEXEC != 0 }
}

fn link(path: &Path) -> String {
    fs::read_link(path).map_or_else(|error| error.to_string(), |target| target.display().to_string())
}
