//! Tools that make a daemon of any program: the options of the audit in their words.

use std::ffi::OsString;

/// An option of the audit and its value, in a tool's words; none where it has no such option.
pub(crate) type Translate = fn(&str, &str) -> Option<Vec<String>>;

#[derive(Clone)]
pub(crate) struct Tool {
    pub(crate) translate: Translate,
    /// What stands before the options of a start.
    pub(crate) first: &'static [&'static str],
    /// What stands behind them.
    pub(crate) last: Vec<OsString>,
    /// Whether a second start of the same program file is in its way.
    pub(crate) runs_alone: bool,
}

impl Tool {
    /// The tool's arguments; none where it does not have all the options.
    pub(crate) fn arguments(&self, options: &[&str]) -> Option<Vec<OsString>> {
        let is_start = !options.contains(&"--obey");
        let mut arguments = Vec::new();
        if is_start {
            arguments.extend(self.first.iter().map(OsString::from));
        }
        let mut of_the_program = Vec::new();
        let mut options = options.iter().copied();
        while let Some(option) = options.next() {
            let value = if WITHOUT_VALUE.contains(&option) { "" } else { options.next()? };
            if ["--serve", "--serve-gracefully"].contains(&option) {
                of_the_program.extend([option, value].map(OsString::from));
            } else {
                arguments.extend((self.translate)(option, value)?.into_iter().map(OsString::from));
            }
        }
        if is_start {
            arguments.extend(self.last.iter().cloned());
            arguments.append(&mut of_the_program);
        }
        Some(arguments)
    }
}

const WITHOUT_VALUE: [&str; 4] = ["--notify", "--thread", "--stop-requested", "--reopen-logs"];

/// Of a log with an end, which no tool has.
const ROTATE: &str = "rotate:";

pub(crate) fn start_stop_daemon(option: &str, value: &str) -> Option<Vec<String>> {
    let seconds = || value.parse::<u32>().map_or(0, |milliseconds| milliseconds.div_ceil(1000)).to_string();
    Some(match option {
        "--pidfile" => words(&["--make-pidfile", "--pidfile", value]),
        "--stdout" if !value.starts_with(ROTATE) => words(&["--output", value]),
        "--umask" | "--chdir" | "--group" => words(&[option, value]),
        "--user" => words(&["--chuid", value]),
        "--notify" => words(&["--notify-await"]),
        "--start-timeout" => words(&["--notify-timeout", &seconds()]),
        "--program" => Vec::new(),
        "--nice" => words(&["--nicelevel", value]),
        "--obey" if value == "status" => words(&["--status"]),
        "--obey" if value == "stop" => words(&["--stop", "--remove-pidfile", "--retry", "TERM/2/KILL/5"]),
        _ => return None,
    })
}

/// The group is that of the user.
pub(crate) fn daemonize(option: &str, value: &str) -> Option<Vec<String>> {
    Some(match option {
        "--pidfile" => words(&["-p", value, "-l", value]),
        "--stdout" if !value.starts_with(ROTATE) => words(&["-a", "-o", value, "-e", value]),
        "--chdir" => words(&["-c", value]),
        "--user" => words(&["-u", value]),
        "--group" | "--program" => Vec::new(),
        _ => return None,
    })
}

/// The group is that of the user; whether to detach it finds out by itself.
pub(crate) fn libslack_daemon(option: &str, value: &str) -> Option<Vec<String>> {
    Some(match option {
        "--pidfile" => words(&["--name", "audit", "--pidfile", value]),
        "--stdout" if !value.starts_with(ROTATE) => words(&["--output", value]),
        "--umask" | "--chdir" | "--user" => words(&[option, value]),
        "--variable" => words(&["--env", value]),
        "--group" | "--detach" | "--program" => Vec::new(),
        "--respawn" if value.contains(',') => {
            words(&["--idiot", "--respawn", "--acceptable", "60", "--attempts", "2", "--delay", "1", "--limit", "1"])
        }
        "--respawn" => words(&["--respawn"]),
        "--obey" => match value {
            "status" => words(&["--running"]),
            "stop" => words(&["--stop"]),
            "upgrade" => words(&["--restart"]),
            _ => return None,
        },
        _ => return None,
    })
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}
