//! Who started the program: people, scripts, supervisors, init programs, containers and systemd.

mod containers;
mod dinit;
mod inetd;
mod init;
mod launched_by;
mod notify_reload;
mod shells;
mod start_stop_daemon;
mod supervisors;
mod systemd;
