//! The end of `main` where there is no system log.

use std::process::{ExitCode, Termination};

pub(crate) fn report(outcome: impl Termination) -> ExitCode {
    outcome.report()
}
