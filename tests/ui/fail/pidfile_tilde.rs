use daemon_rt::daemon;

#[daemon(pidfile = "~/app.pid")]
fn main() {}
