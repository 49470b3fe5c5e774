use daemon_rt::daemon;

#[daemon]
extern "C" fn main() {}
