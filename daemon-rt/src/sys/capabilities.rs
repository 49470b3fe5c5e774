//! Capabilities: the parts into which Linux divides root's power, capabilities(7).

use std::io;

use nix::{
    errno::Errno,
    libc::{self, c_int},
};

/// 32 bits of each set.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct CapabilityWord {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// The sets of capabilities of this process, capabilities(7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Capabilities([CapabilityWord; 2]);

impl Capabilities {
    /// No capability: none permitted, effective or inheritable, and so no ambient one either.
    pub(crate) const NONE: Self = Self([CapabilityWord { effective: 0, permitted: 0, inheritable: 0 }; 2]);

    /// The same sets, but with nothing in effect.
    pub(crate) fn out_of_effect(&self) -> Self {
        Self(self.0.map(|word| CapabilityWord { effective: 0, ..word }))
    }

    /// Whether the capability of that number is in effect.
    pub(crate) fn has(&self, capability: u32) -> bool {
        self.0[0].effective & (1 << capability) != 0
    }

    /// Whether the capability of that number is in effect, or can be brought into effect.
    pub(crate) fn permit(&self, capability: u32) -> bool {
        self.0[0].permitted & (1 << capability) != 0
    }

    pub(crate) fn are_empty(&self) -> bool {
        *self == Self::NONE
    }
}

#[repr(C)]
struct CapabilityHeader {
    version: u32,
    pid: c_int,
}

impl CapabilityHeader {
    /// Version 3 has 64 capabilities, in two words; process 0 is the caller, capget(2).
    const OWN: Self = Self { version: 0x2008_0522, pid: 0 };
}

/// capget(2).
pub(crate) fn capabilities() -> io::Result<Capabilities> {
    let mut header = CapabilityHeader::OWN;
    let mut words = [CapabilityWord::default(); 2];
    // SAFETY: this version of the header asks for two words.
    Errno::result(unsafe { libc::syscall(libc::SYS_capget, &raw mut header, words.as_mut_ptr()) })?;
    Ok(Capabilities(words))
}

/// capset(2).
pub(crate) fn set_capabilities(capabilities: &Capabilities) -> io::Result<()> {
    let mut header = CapabilityHeader::OWN;
    // SAFETY: this version of the header announces two words.
    Errno::result(unsafe { libc::syscall(libc::SYS_capset, &raw mut header, capabilities.0.as_ptr()) })?;
    Ok(())
}
