//! `fn main() -> impl Termination`.

use std::process::{ExitCode, Termination};

use daemon_rt::{Detach, daemon};

struct Ended;

impl Termination for Ended {
    fn report(self) -> ExitCode {
        ExitCode::from(9)
    }
}

#[daemon(detach = Detach::Never)]
fn main() -> impl Termination {
    Ended
}
