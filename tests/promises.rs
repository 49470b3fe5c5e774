//! What is promised, and the tests that keep it: a module for each promise.

mod attribute;
mod cargo;
mod contract;
mod docs;
mod examples;
mod faults;
mod launchers;
mod options;
mod pidfile;
mod preload;
mod privileges;

const ARRANGE: &str = env!("CARGO_BIN_EXE_arrange");
const CLIENT: &str = env!("CARGO_BIN_EXE_client");
const DAEMONIZE: &str = env!("CARGO_BIN_EXE_daemonize");
const EARLY: &str = env!("CARGO_BIN_EXE_early");
const INJECT: &str = env!("CARGO_BIN_EXE_inject");
const LATE: &str = env!("CARGO_BIN_EXE_late");
const MARKED: &str = env!("CARGO_BIN_EXE_marked");
const PROBE: &str = env!("CARGO_BIN_EXE_probe");
const RELOADING: &str = env!("CARGO_BIN_EXE_reloading");
