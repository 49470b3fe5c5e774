use daemon_rt::daemon;

#[daemon(reload)]
fn main() {}
