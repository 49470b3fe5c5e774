use daemon_rt::daemon;

#[daemon(crate = ::runtime)]
fn main() {}
