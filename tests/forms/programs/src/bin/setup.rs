//! `setup` that returns a value, taken apart by a pattern.

use std::num::ParseIntError;

use daemon_rt::{Daemon, Detach, daemon};

struct Settings {
    first: String,
    second: u8,
}

fn setup(daemon: &mut Daemon) -> Result<Settings, ParseIntError> {
    daemon.detach(Detach::Never);
    Ok(Settings { first: "one".to_owned(), second: "2".parse()? })
}

#[daemon(setup = self::setup, detach = Detach::Always)]
fn main(Settings { first, second }: Settings) {
    println!("{first} {second}");
}
