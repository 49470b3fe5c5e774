//! A FIFO in the place of a log: whoever reads it decides how much there is.

use std::{
    fs::File,
    io::Read,
    os::unix::fs::{FileTypeExt, OpenOptionsExt},
};

use nix::{libc, sys::stat::Mode, unistd::mkfifo};
use support::{Stage, eventually};

use super::{daemon, fill, line};

#[test]
fn it_does_not_grow() {
    let stage = Stage::new();
    let path = stage.path("log");
    mkfifo(&path, Mode::S_IRWXU).expect("a FIFO");
    let mut reader = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(&path).expect("open");
    let mut daemon = daemon(&stage, &["--stdout", "rotate:10,2:log"]);
    fill(&mut daemon, "first");
    fill(&mut daemon, "second");
    let mut said = String::new();
    let lines = [line("first"), line("second")].map(|line| line + "\n").concat();
    eventually("the lines", || {
        let _ = reader.read_to_string(&mut said); // what there is, and then an error
        (said == lines).then_some(())
    });
    assert_eq!(stage.files(), ["log"]);
    assert!(path.metadata().expect("still there").file_type().is_fifo());
}
