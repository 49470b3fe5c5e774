use daemon_rt::daemon;

#[daemon(chroot = "~/jail")]
fn main() {}
