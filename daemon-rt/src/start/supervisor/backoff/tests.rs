use std::time::{Duration, Instant};

use super::Backoff;
use crate::Respawn;

const MINUTE: Duration = Duration::from_secs(60);

/// The delays in seconds, for daemons that run for these numbers of seconds.
fn delays(respawn: Respawn, seconds: &[u64]) -> Vec<Option<u64>> {
    let mut backoff = Backoff::new(respawn);
    let mut now = Instant::now();
    let mut delays = Vec::new();
    for &ran in seconds {
        let ran = Duration::from_secs(ran);
        now += ran;
        let delay = backoff.next(ran, now);
        now += delay.unwrap_or_default();
        delays.push(delay.map(|delay| delay.as_secs()));
    }
    delays
}

fn seconds(min: u64, max: u64) -> Respawn {
    Respawn::on_failure().delay(Duration::from_secs(min), Duration::from_secs(max))
}

#[test]
fn the_delay_doubles_up_to_the_longest_one() {
    assert_eq!(delays(seconds(1, 10), &[0; 7]), [1, 2, 4, 8, 10, 10, 10].map(Some));
}

#[test]
fn it_is_the_shortest_again_behind_a_daemon_that_ran_for_the_period() {
    assert_eq!(delays(seconds(1, 100), &[0, 0, 59, 60, 0]), [1, 2, 4, 1, 2].map(Some));
}

#[test]
fn beyond_the_limit_of_the_period_there_is_none() {
    let delays = delays(seconds(1, 1).at_most(3, MINUTE), &[0, 0, 0, 0]);
    assert_eq!(delays, [Some(1), Some(1), Some(1), None]);
}

#[test]
fn behind_the_period_it_counts_anew() {
    let delays = delays(seconds(1, 1).at_most(2, MINUTE), &[0, 0, 58, 0, 0]);
    assert_eq!(delays, [Some(1), Some(1), Some(1), Some(1), None]);
}

#[test]
fn the_longest_times_are_no_error() {
    let respawn = Respawn::on_failure().at_most(u32::MAX, Duration::MAX).delay(Duration::MAX, Duration::MAX);
    let mut backoff = Backoff::new(respawn);
    for _ in 0..3 {
        assert_eq!(backoff.next(Duration::MAX, Instant::now()), Some(Duration::MAX));
    }
}
