use daemon_rt::daemon;

#[daemon(pidfle = "/run/app.pid")]
fn main() {}
