//! The shortest daemon: says hello in `hello.log`, and is gone after a minute.

#[daemon_rt::daemon(stdout = "hello.log")]
fn main() {
    println!("hello from process {}", std::process::id());
    std::thread::sleep(std::time::Duration::from_secs(60));
}
