//! Tools that make a daemon of any program: the options of the audit in their words.

use std::ffi::OsString;

/// An option of the audit and its value, in a tool's words; none where it has no such option.
pub(crate) type Translate = fn(&str, &str) -> Option<Vec<String>>;

pub(crate) struct Tool {
    pub(crate) translate: Translate,
    /// What stands behind the options.
    pub(crate) last: Vec<OsString>,
    /// Whether a second start of the same program file is in its way.
    pub(crate) runs_alone: bool,
}

impl Tool {
    /// The tool's arguments; none where it does not have all the options.
    pub(crate) fn arguments(&self, options: &[&str]) -> Option<Vec<OsString>> {
        let mut arguments = Vec::new();
        let mut options = options.iter().copied();
        while let Some(option) = options.next() {
            let value = if WITHOUT_VALUE.contains(&option) { "" } else { options.next()? };
            arguments.extend((self.translate)(option, value)?.into_iter().map(OsString::from));
        }
        arguments.extend(self.last.iter().cloned());
        Some(arguments)
    }
}

const WITHOUT_VALUE: [&str; 2] = ["--notify", "--thread"];

pub(crate) fn start_stop_daemon(option: &str, value: &str) -> Option<Vec<String>> {
    let seconds = || value.parse::<u32>().map_or(0, |milliseconds| milliseconds.div_ceil(1000)).to_string();
    Some(match option {
        "--pidfile" => words(&["--make-pidfile", "--pidfile", value]),
        "--stdout" => words(&["--output", value]),
        "--umask" | "--chdir" | "--group" => words(&[option, value]),
        "--user" => words(&["--chuid", value]),
        "--notify" => words(&["--notify-await"]),
        "--start-timeout" => words(&["--notify-timeout", &seconds()]),
        _ => return None,
    })
}

/// The group is that of the user.
pub(crate) fn daemonize(option: &str, value: &str) -> Option<Vec<String>> {
    Some(match option {
        "--pidfile" => words(&["-p", value, "-l", value]),
        "--stdout" => words(&["-a", "-o", value, "-e", value]),
        "--chdir" => words(&["-c", value]),
        "--user" => words(&["-u", value]),
        "--group" => Vec::new(),
        _ => return None,
    })
}

/// The group is that of the user; whether to detach it finds out by itself.
pub(crate) fn libslack_daemon(option: &str, value: &str) -> Option<Vec<String>> {
    Some(match option {
        "--pidfile" => words(&["--name", "audit", "--pidfile", value]),
        "--stdout" => words(&["--output", value]),
        "--umask" | "--chdir" | "--user" => words(&[option, value]),
        "--variable" => words(&["--env", value]),
        "--group" | "--detach" => Vec::new(),
        _ => return None,
    })
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}
