//! The request to stop, on systems without signals: it is never made.

use std::{
    pin::Pin,
    task::{Context, Poll},
    thread,
    time::Duration,
};

use crate::Error;

/// Returns a value that tells the program of a request to stop. On this platform there never is one: Ctrl-C ends the
/// program.
///
/// # Errors
///
/// None here.
pub fn stop_requested() -> Result<StopRequested, Error> {
    Ok(StopRequested(()))
}

/// The request to stop: never made on this platform.
#[derive(Debug, Clone)]
pub struct StopRequested(());

impl StopRequested {
    /// Whether the request is made. It never is on this platform.
    #[must_use]
    pub fn is_set(&self) -> bool {
        false
    }

    /// Waits for ever.
    pub fn wait(&self) {
        loop {
            thread::park();
        }
    }

    /// Waits for that time, and returns `false`.
    #[must_use]
    pub fn wait_timeout(&self, timeout: Duration) -> bool {
        thread::sleep(timeout);
        false
    }
}

impl Future for StopRequested {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}
