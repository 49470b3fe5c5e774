//! A program that detaches, and has tests.

use daemon_rt::daemon;

fn answer() -> u8 {
    42
}

#[daemon]
fn main() {
    println!("{}", answer());
}

#[cfg(test)]
mod tests {
    #[test]
    fn answer() {
        assert_eq!(super::answer(), 42);
    }
}
