//! `fn main() -> !`.

use daemon_rt::{Detach, daemon};

#[daemon(detach = Detach::Never)]
fn main() -> ! {
    std::process::exit(8)
}
