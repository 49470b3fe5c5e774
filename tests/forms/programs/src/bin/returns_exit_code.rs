//! `fn main() -> ExitCode`.

use std::process::ExitCode;

use daemon_rt::{Detach, daemon};

/// Documented, as `missing_docs` wants it of what is public.
#[daemon(detach = Detach::Never)]
pub fn main() -> ExitCode {
    ExitCode::from(7)
}
