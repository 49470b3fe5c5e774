use daemon_rt::daemon;

#[daemon]
fn main() -> u32 {
    0
}
