use daemon_rt::daemon;

#[daemon(pidfile = "/run/app", stderr = "/run/app")]
fn main() {}
