//! `fn main() -> Result`, with `?`.

use std::num::ParseIntError;

use daemon_rt::{Detach, daemon};

#[daemon(detach = Detach::Never)]
fn main() -> Result<(), ParseIntError> {
    println!("{}", "12".parse::<u8>()?);
    println!("{}", "twelve".parse::<u8>()?);
    Ok(())
}
