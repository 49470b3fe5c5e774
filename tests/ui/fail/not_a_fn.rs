use daemon_rt::daemon;

#[daemon]
struct Server;

fn main() {}
