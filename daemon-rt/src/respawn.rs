//! When a daemon that ended is started again: the value of the option `respawn`.

use std::time::Duration;

/// When a daemon that ended is started again, and after which delay: a value of [`respawn`](crate::Daemon::respawn).
///
/// ```no_run
/// use std::time::Duration;
///
/// use daemon_rt::{Respawn, daemon};
///
/// #[daemon(
///     pidfile = "/run/clockd.pid",
///     stdout = "/var/log/clockd.log",
///     respawn = Respawn::on_failure().at_most(5, Duration::from_secs(60)),
/// )]
/// fn main() {}
/// ```
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Respawn {
    pub(crate) on_success: bool,
    pub(crate) limit: Option<u32>,
    pub(crate) period: Duration,
    pub(crate) delay: (Duration, Duration),
}

impl Respawn {
    /// Whenever the daemon failed: it ended with a status other than 0, or by a signal. The signals SIGHUP, SIGINT, SIGTERM
    /// and SIGPIPE are no failure, systemd.service(5). SIGKILL is one: the system sends it when there is no memory left.
    pub const fn on_failure() -> Self {
        Self {
            on_success: false,
            limit: None,
            period: Duration::from_secs(60),
            delay: (Duration::from_millis(100), Duration::from_secs(30)),
        }
    }

    /// However the daemon ended, unless the supervisor was asked to stop.
    pub const fn always() -> Self {
        Self { on_success: true, ..Self::on_failure() }
    }

    /// At most so many times in such a period. If the daemon ends once more in it, the supervisor ends as the daemon did.
    /// The period begins with the first of these ends. By default there is no limit, and the period is 60 seconds.
    ///
    /// The delays count: 10 times do not fit in a minute once they have grown to 30 seconds.
    pub const fn at_most(self, times: u32, period: Duration) -> Self {
        Self { limit: Some(times), period, ..self }
    }

    /// How long to wait before the daemon is started again: `min` the first time, twice as long the next time, and so on
    /// up to `max`. A daemon that has run for the period of [`at_most`](Self::at_most) begins with `min` again. By default
    /// these are 100 milliseconds and 30 seconds.
    pub const fn delay(self, min: Duration, max: Duration) -> Self {
        Self { delay: (min, max), ..self }
    }
}
