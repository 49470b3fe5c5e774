//! The end of `main` on systems without a system log.

use std::process::{ExitCode, Termination};

pub(crate) fn report(outcome: impl Termination) -> ExitCode {
    outcome.report()
}
