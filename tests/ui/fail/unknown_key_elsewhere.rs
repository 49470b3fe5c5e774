use daemon_rt::daemon;

#[daemon(working_directory = "/tmp")]
fn main() {}
