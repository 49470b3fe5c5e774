use daemon_rt::daemon;

#[daemon(setup)]
fn main(_: String) {}
