//! What the programs of the audit have in common: the auditor's options, and what `main` does at its word.

#![allow(dead_code, reason = "no library has every option")]

use std::{
    env,
    error::Error,
    fs::File,
    io::{self, BufRead, BufReader, Write},
    mem,
    os::unix::{net::UnixStream, process::CommandExt},
    process::{self, Command},
    thread,
    time::Duration,
};

pub(crate) type Failure = Box<dyn Error>;

/// By it the auditor learns that a program has no such option. No library exits with it.
const UNKNOWN_OPTION: i32 = 99;

/// What the auditor asks for; each is named as the option of `daemon-rt`.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) pidfile: Option<String>,
    /// For both output streams.
    pub(crate) stdout: Option<String>,
    pub(crate) umask: Option<u32>,
    pub(crate) chdir: Option<String>,
    pub(crate) user: Option<String>,
    pub(crate) group: Option<String>,
    pub(crate) notify: bool,
    pub(crate) start_timeout: Option<Duration>,
    pub(crate) stop_requested: bool,
    /// Another program that becomes the daemon.
    pub(crate) program: Option<String>,
}

/// What a library has for its program, beside the start.
pub(crate) trait Library {
    /// Tells the launcher that `main` is ready.
    fn ready(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Waits until the daemon is asked to stop.
    fn await_stop(&mut self) {}

    /// Ends `main` with that status.
    fn exit(&mut self, status: u8) {
        process::exit(status.into());
    }
}

/// None of it.
impl Library for () {}

impl Options {
    /// Those of the command line, if the program knows them all. `--print` and `--thread`, which need no option of a
    /// library, are carried out here, before the start.
    pub(crate) fn read(known: &[&str]) -> Result<Self, Failure> {
        let mut options = Self::default();
        let mut arguments = env::args().skip(1);
        while let Some(option) = arguments.next() {
            if !known.contains(&option.as_str()) && !["--print", "--thread"].contains(&option.as_str()) {
                process::exit(UNKNOWN_OPTION);
            }
            let mut value = || arguments.next().ok_or("an option without a value");
            match option.as_str() {
                "--pidfile" => options.pidfile = Some(value()?),
                "--stdout" => options.stdout = Some(value()?),
                "--umask" => options.umask = Some(u32::from_str_radix(&value()?, 8)?),
                "--chdir" => options.chdir = Some(value()?),
                "--user" => options.user = Some(value()?),
                "--group" => options.group = Some(value()?),
                "--notify" => options.notify = true,
                "--program" => options.program = Some(value()?),
                "--stop-requested" => options.stop_requested = true,
                "--start-timeout" => options.start_timeout = Some(Duration::from_millis(value()?.parse()?)),
                "--print" => print!("{}", value()?),
                "--thread" => mem::drop(thread::spawn(|| thread::sleep(Duration::from_secs(1000)))),
                _ => process::exit(UNKNOWN_OPTION),
            }
        }
        // A log with an end, as daemon-rt has it.
        if options.stdout.as_ref().is_some_and(|stdout| stdout.starts_with("rotate:")) {
            process::exit(UNKNOWN_OPTION);
        }
        Ok(options)
    }
}

/// Opens a log, for a library that takes an open file; the error names it.
pub(crate) fn open_log(path: &str) -> Result<File, String> {
    File::options().append(true).create(true).open(path).map_err(|error| format!("cannot open {path}: {error}"))
}

/// The body of `main`: tells the auditor, at the socket that `PROBE_SOCKET` names, that it has begun, and obeys one
/// command a line. It ends when the connection does: no audit leaves it behind.
pub(crate) fn serve(library: &mut impl Library) -> Result<(), Failure> {
    let mut connection = BufReader::new(UnixStream::connect(env::var("PROBE_SOCKET")?)?);
    let mut said = format!("pid={}", process::id());
    loop {
        connection.get_mut().write_all(format!("{said}\n.\n").as_bytes())?;
        let mut command = String::new();
        if connection.read_line(&mut command)? == 0 {
            process::exit(0);
        }
        let (word, rest) = command.trim_end().split_once(' ').unwrap_or((command.trim_end(), ""));
        said = match word {
            "ready" => library.ready().map(|()| String::new())?,
            "return" => return Ok(()),
            "exit" => {
                library.exit(rest.parse()?);
                String::new()
            }
            "await-stop" => {
                library.await_stop();
                String::new()
            }
            "stdout" => {
                println!("{rest}");
                String::new()
            }
            "stderr" => {
                eprintln!("{rest}");
                String::new()
            }
            "spawn" => Command::new("sleep").arg("1000").spawn()?.id().to_string(),
            "exec-shell" => return Err(Command::new("sh").arg("-c").arg(rest).exec().into()),
            "variable" => env::var(rest).unwrap_or_else(|error| error.to_string()),
            "open-terminal" => File::options().read(true).write(true).open(rest).map(|_| String::new())?,
            other => return Err(format!("unknown command {other}").into()),
        };
    }
}
