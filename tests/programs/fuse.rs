//! A file system that is a user's program, fuse(4): a directory with one link in it, and both say that they are root's.

use std::{
    error::Error,
    fs::File,
    io::{self, Read, Write},
    os::{fd::AsRawFd, unix::ffi::OsStrExt},
    path::Path,
};

use nix::{
    libc,
    mount::{MsFlags, mount},
    sys::{prctl, signal::Signal},
    unistd::{self, ForkResult},
};

const DIRECTORY: u64 = 1;
const LINK: u64 = 2;

/// Mounts it for user 65534, as fusermount(1) does. Each name in it is a link to that target. It is there as long as this
/// process.
pub(crate) fn serve(directory: &str, target: &str) -> Result<(), Box<dyn Error>> {
    let mut kernel = File::options().read(true).write(true).open("/dev/fuse")?;
    let options = format!("fd={},rootmode=40755,user_id=65534,group_id=65534,allow_other", kernel.as_raw_fd());
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(Some("fuse"), directory, Some("fuse"), flags, Some(options.as_str()))?;
    // SAFETY: there is one thread.
    if let ForkResult::Child = unsafe { unistd::fork() }? {
        prctl::set_pdeathsig(Signal::SIGKILL)?;
        // SAFETY: nothing owns the standard streams. Whoever waits for their end does not wait for this process.
        unsafe { libc::syscall(libc::SYS_close_range, 0, 2, 0) };
        while answer(&mut kernel, Path::new(target)).is_ok() {}
        // SAFETY: has no preconditions.
        unsafe { libc::_exit(0) };
    }
    Ok(())
}

fn answer(kernel: &mut File, target: &Path) -> io::Result<()> {
    let mut request = vec![0; 1 << 18];
    let _ = kernel.read(&mut request)?;
    let number = |at: usize, length: usize| {
        let bytes = request[at..at + length].iter().rev();
        bytes.fold(0, |number, &byte| number << 8 | u64::from(byte))
    };
    let (operation, node) = (number(4, 4), number(16, 8));
    let version = [[7_u32, 31].map(u32::to_ne_bytes).concat(), vec![0; 56]].concat();
    let entry = [LINK, 0, 0, 0, 0].map(u64::to_ne_bytes).concat();
    let (error, data) = match operation {
        1 => (0, [entry, attributes(LINK)].concat()),       // FUSE_LOOKUP
        2 | 42 => return Ok(()),                            // FUSE_FORGET, FUSE_BATCH_FORGET
        3 => (0, [vec![0; 16], attributes(node)].concat()), // FUSE_GETATTR
        5 => (0, target.as_os_str().as_bytes().to_vec()),   // FUSE_READLINK
        26 => (0, version),                                 // FUSE_INIT
        _ => (-libc::ENOSYS, Vec::new()),
    };
    let length = u32::try_from(16 + data.len()).map_err(io::Error::other)?;
    let reply = [&length.to_ne_bytes(), &error.to_ne_bytes()[..], &request[8..16], &data].concat();
    kernel.write_all(&reply)
}

/// `struct fuse_attr`: six words of 64 bits, and ten of 32, from the fourth on mode, links, owner and group.
fn attributes(node: u64) -> Vec<u8> {
    let mode = if node == DIRECTORY { libc::S_IFDIR | 0o755 } else { libc::S_IFLNK | 0o777 };
    let times = [node, 0, 0, 0, 0, 0].map(u64::to_ne_bytes).concat();
    [times, [0, 0, 0, mode, 1, 0, 0, 0, 4096, 0].map(u32::to_ne_bytes).concat()].concat()
}
