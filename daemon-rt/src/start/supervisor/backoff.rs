//! Whether the next daemon is started, and after what delay.

#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use crate::Respawn;

pub(super) struct Backoff {
    respawn: Respawn,
    delay: Duration,
    /// When the period began, and how many daemons have been started again in it.
    period: Option<(Instant, u32)>,
}

impl Backoff {
    pub(super) fn new(respawn: Respawn) -> Self {
        Self { delay: respawn.delay.0, respawn, period: None }
    }

    /// None beyond the limit. `ran` is how long the daemon that has just ended had run.
    pub(super) fn next(&mut self, ran: Duration, now: Instant) -> Option<Duration> {
        let Respawn { limit, period, delay: (min, max), .. } = self.respawn;
        let is_in_period = |(since, _): &(Instant, u32)| now.saturating_duration_since(*since) < period;
        let (since, count) = self.period.filter(is_in_period).unwrap_or((now, 0));
        if limit.is_some_and(|limit| count >= limit) {
            return None;
        }
        self.period = Some((since, count.saturating_add(1)));
        if ran >= period {
            self.delay = min;
        }
        let delay = self.delay;
        self.delay = delay.saturating_mul(2).min(max);
        Some(delay)
    }
}
