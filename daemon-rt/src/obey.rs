//! The actions of an init script, with its exit statuses, for a program's own command line.

use std::{process, time::Duration};

use crate::{
    Control, Daemon, Detach, Error, PidFile, Status, Stopped,
    launched_by::is_upgrade,
    messages::{self, Messages},
    start, sys,
    terminal::shown,
};

/// The same time as `docker stop`, supervisord and dinit: somebody may be waiting at the terminal.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// If the daemon ends itself when its `stop_timeout` runs out, this gives it the time to say so.
const MARGIN: Duration = Duration::from_secs(1);

/// See [`Daemon::obey`].
pub(crate) fn obey(daemon: &mut Daemon, control: Control) -> Result<(), Error> {
    if is_upgrade() {
        return Ok(()); // with the arguments of the launch, such as `restart`
    }
    let pidfile = pidfile(daemon, control)?;
    let messages = Messages::of(daemon);
    let timeout = daemon.stop_timeout.map_or(STOP_TIMEOUT, |timeout| timeout.saturating_add(MARGIN));
    let exit_status = match control {
        Control::Start => return Ok(()),
        Control::Run => {
            daemon.detach(Detach::Never);
            return Ok(());
        }
        Control::Restart => match stop(&pidfile, timeout, control, &messages) {
            0 => return Ok(()),
            failed => failed,
        },
        Control::Stop => stop(&pidfile, timeout, control, &messages),
        Control::Reload => say_failure(pidfile.reload(), control, &messages),
        Control::Upgrade => upgrade(daemon, &pidfile, &messages),
        Control::Status => tell_status(&pidfile, &messages),
    };
    let _ = messages::ignore_signals_of_writes();
    process::exit(exit_status.into())
}

fn pidfile(daemon: &Daemon, control: Control) -> Result<PidFile, Error> {
    let cannot = |why| Error::new(format!("cannot obey `{control}`: {why}"));
    if daemon.lock.is_some() {
        // The only daemon it could be about is this start.
        return Err(cannot("this start has locked the pidfile; call `obey` before `lock`"));
    }
    start::pidfile(daemon)?.map(PidFile::new).ok_or_else(|| cannot("the option `pidfile` is not set"))
}

fn stop(pidfile: &PidFile, timeout: Duration, control: Control, messages: &Messages) -> u8 {
    let name = messages.name();
    let stopped = pidfile.stop(timeout).map(|stopped| {
        messages::print(&match stopped {
            Stopped::NotRunning => format!("{name} was not running"),
            Stopped::Terminated => format!("{name} has ended"),
            Stopped::Killed => format!("{name} did not end within {timeout:?}, and was killed"),
        });
    });
    say_failure(stopped, control, messages)
}

/// The caller waits as long as the supervisor waits for `setup` and the start.
fn upgrade(daemon: &Daemon, pidfile: &PidFile, messages: &Messages) -> u8 {
    let timeout = daemon.start_timeout.saturating_mul(2).saturating_add(MARGIN);
    let upgraded = pidfile.upgrade(timeout).map(|()| {
        let name = messages.name();
        messages::print(&match pidfile.status() {
            Ok(Status::Running { pid, .. }) => format!("{name} has been upgraded, and runs as process {pid}"),
            _ => format!("{name} has been upgraded"),
        });
    });
    say_failure(upgraded, Control::Upgrade, messages)
}

fn say_failure(done: Result<(), Error>, control: Control, messages: &Messages) -> u8 {
    let Err(error) = done else { return 0 };
    let error = error.withhold_all_but(format!("cannot {control} {}", messages.name()));
    messages.say(&error);
    error.exit_status()
}

/// The answer to a question is not an error message, so all of it goes to standard output.
fn tell_status(pidfile: &PidFile, messages: &Messages) -> u8 {
    let name = messages.name();
    let (text, exit_status) = match pidfile.status() {
        Ok(Status::Running { pid, since, daemon }) => {
            let since = sys::utc(since).map(|since| format!(" since {since}")).unwrap_or_default();
            let daemon = daemon.map(|daemon| format!(", which supervises process {daemon}")).unwrap_or_default();
            (format!("{name} has been running as process {pid}{since}{daemon}"), 0)
        }
        Ok(Status::Starting) => (format!("{name} is starting"), 0),
        Ok(Status::Stale) => (format!("{name} is not running, and left {} behind", shown(pidfile.path())), 1),
        Ok(Status::Stopped) => (format!("{name} is not running"), 3),
        Err(error) => {
            let cannot = format!("cannot tell whether {name} is running");
            let error = Error::new(format!("{cannot}: {error:#}")).withhold_all_but(cannot);
            (messages.for_reader(&error), 4)
        }
    };
    messages::print(&text);
    exit_status
}
