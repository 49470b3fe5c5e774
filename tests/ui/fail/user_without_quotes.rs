use daemon_rt::daemon;

#[daemon(user = www-data)]
fn main() {}
