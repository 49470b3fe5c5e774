use daemon_rt::daemon;

#[daemon(pidfile = "/run/${NAME}.pid")]
fn main() {}
