//! The crate `daemonize`, as its documentation shows it, with its defaults, which are the steps of all the others.

mod body;

use daemonize::Daemonize;

fn main() {
    match Daemonize::new().start() {
        Ok(()) => body::main(|| ()),
        Err(error) => eprintln!("Error, {error}"),
    }
}
