use daemon_rt::daemon;

#[daemon(group = "adm\0")]
fn main() {}
