//! What the program inherited by exec. Nothing needs to be done about it here.

/// A file descriptor's number; the same type as `std::os::fd::RawFd`, which not every platform has.
pub(crate) type RawFd = i32;

#[derive(Debug)]
pub(crate) struct Inherited;

impl Inherited {
    pub(crate) fn note() -> Self {
        Self
    }
}
