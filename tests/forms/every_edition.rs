//! Every option, with the expressions in which a comma could be taken for the end of the value.
#![allow(clippy::match_bool, clippy::nonminimal_bool, clippy::redundant_closure_call, clippy::unnecessary_cast)]

use std::collections::BTreeMap;
use std::time::Duration;

use daemon_rt::{Daemon, Detach, Stdio, daemon};

fn sum<A: Into<u32>, B: Into<u32>>(a: A, b: B) -> u32 {
    a.into() + b.into()
}

fn setup(_: &mut Daemon) -> Result<BTreeMap<&'static str, u8>, String> {
    let mut values = BTreeMap::new();
    values.insert("seven", 7);
    Some(values).ok_or_else(|| "no values".to_owned())
}

#[daemon(
    name = format!("{}-{}", "edition", 0),
    stdin = Stdio::null(),
    stdout = match 1 < 2 { true => Stdio::null(), false => Stdio::inherit() },
    stderr = (|a: Stdio, _b: u8| a)(Stdio::inherit(), 1),
    umask = sum::<u8, u16,>(0o20, 0o2) | <u32 as Default>::default() << 1,
    chdir = if "a" > "b" { "/tmp" } else { "/" },
    keep_env = ["PATH"].map(str::to_owned),
    keep_fds = [9, 8].iter().map(|fd| fd + 1).collect::<Vec<_>>(),
    detach = Detach::Never,
    notify = 3 as u8 > 2 || false,
    start_timeout = (|seconds, _| Duration::from_secs(seconds))(5, 6),
    setup = setup,
    crate = ::daemon_rt,
)]
fn main(values: BTreeMap<&'static str, u8>) {
    let directory = std::env::current_dir().expect("a directory");
    println!("{} in {}", values["seven"], directory.display());
}
