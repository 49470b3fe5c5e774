//! `fn main()`, with an early `return`.

use daemon_rt::{Detach, daemon};

#[daemon(detach = Detach::Never)]
fn main() {
    println!("first");
    if std::env::args().count() < 9 {
        return;
    }
    println!("second");
}
