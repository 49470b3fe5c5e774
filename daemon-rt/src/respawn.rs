//! When a daemon that ended is started again: the value of the option `respawn`.

use std::time::Duration;

/// Says when a daemon that ended is started again, and after which delay. It is the value of the option
/// [`respawn`](crate::Daemon::respawn).
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
    /// Start it again if it failed, that is, if it ended with a status other than 0, or by a signal. The signals
    /// SIGHUP, SIGINT, SIGTERM and SIGPIPE do not count as failures, systemd.service(5). SIGKILL does: the system sends
    /// it when memory runs out.
    pub const fn on_failure() -> Self {
        Self {
            on_success: false,
            limit: None,
            period: Duration::from_secs(60),
            delay: (Duration::from_millis(100), Duration::from_secs(30)),
        }
    }

    /// Start it again however it ended, unless the supervisor was asked to stop.
    pub const fn always() -> Self {
        Self { on_success: true, ..Self::on_failure() }
    }

    /// Start it again at most that many times in a period. If the daemon ends once more within the period, it is not
    /// started again, and the supervisor ends as the daemon did. A period begins when a daemon ends; the first end
    /// after it begins the next one. By default there is no limit, and the period is 60 seconds.
    ///
    /// The period includes the delays: once they have grown to 30 seconds, 10 restarts no longer fit in a minute.
    pub const fn at_most(self, times: u32, period: Duration) -> Self {
        Self { limit: Some(times), period, ..self }
    }

    /// How long to wait before the daemon is started again: `min` the first time, twice as long the next time, and so
    /// on up to `max`. If a daemon has run for the period of [`at_most`](Self::at_most), the delay starts from `min`
    /// again. The defaults are 100 milliseconds and 30 seconds.
    pub const fn delay(self, min: Duration, max: Duration) -> Self {
        Self { delay: (min, max), ..self }
    }
}
