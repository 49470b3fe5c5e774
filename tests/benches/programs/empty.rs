//! No daemon: what every Rust program costs.

mod body;

fn main() {
    body::main(|| ());
}
