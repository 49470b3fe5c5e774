use daemon_rt::daemon;

#[daemon]
fn run() {}

fn main() {
    run();
}
