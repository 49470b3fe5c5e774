use daemon_rt::daemon;

#[daemon]
const fn main() {
    println!("at run time");
}
