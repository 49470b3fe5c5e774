use daemon_rt::daemon;

#[daemon]
unsafe fn main() {}
