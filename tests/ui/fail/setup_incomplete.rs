use daemon_rt::daemon;

#[daemon(setup = self::)]
fn main() {}
