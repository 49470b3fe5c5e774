//! What an option does, one file for each.

mod chdir;
mod chroot;
mod keep_env;
mod keep_fds;
mod notify;
mod ready_fd;
mod reopen_logs;
mod respawn;
mod rotate;
mod streams;
mod umask;
mod upgrade;
