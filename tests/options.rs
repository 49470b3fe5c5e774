//! What an option does, one file for each.

mod chroot;
mod notify;
mod reopen_logs;
mod respawn;
mod streams;
