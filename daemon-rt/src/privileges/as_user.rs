//! Does something with no more than the user's rights, and then goes on with the process's own.

use std::io;

use nix::unistd::{Gid, Uid, getegid, geteuid, setegid, seteuid};
#[cfg(any(target_os = "linux", target_os = "android"))]
use nix::{
    sys::{
        prctl,
        signal::{Signal, raise},
    },
    unistd::{Pid, getppid},
};

use super::{
    account::Account,
    apart::{Action, Found},
};
use crate::{
    Error,
    sys::{getgroups, setgroups},
};

/// The state of the process before.
pub(super) struct Before {
    uid: Uid,
    gid: Gid,
    groups: Vec<Gid>,
    capabilities: Capabilities,
    end_of_parent: EndOfParent,
}

impl Account {
    /// Runs `action` as the user, but only as far as the file system is concerned. Real and saved ids stay, so that the
    /// user cannot signal the process meanwhile. An error ends the start: if the way back failed, nothing may follow.
    pub(crate) fn act<T>(&self, action: impl FnOnce() -> io::Result<T>) -> Result<io::Result<T>, Error> {
        let before = self.changes.assume(self)?;
        let done = action();
        self.changes.restore(self, &before)?;
        Ok(done)
    }

    /// Runs `action` in another process that has only the user's ids. None if that was not possible.
    pub(crate) fn act_apart(&self, action: &mut Action<'_>) -> Option<io::Result<Found>> {
        self.changes.act_apart(self, action)
    }
}

/// Looks as the user that the daemon will be, if that is a different one.
pub(crate) fn look_as(
    account: Option<&Account>,
    mut look: impl FnMut() -> io::Result<()>,
) -> Result<io::Result<()>, Error> {
    let Some(account) = account else { return Ok(look()) };
    match account.act(&mut look)? {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let answer = account.act_apart(&mut || look().map(|()| Found::default()));
            Ok(answer.map_or(Err(error), |answer| answer.map(drop)))
        }
        answer => Ok(answer),
    }
}

pub(super) fn assume(account: &Account) -> Result<Before, Error> {
    let cannot = |error| Error::because(format!("cannot act as {account}"), error);
    let before = Before::note().map_err(cannot)?;
    // This comes first: the way back needs the same call, so if it fails, nothing has to be restored.
    setgroups(&account.groups).map_err(cannot)?;
    let assumed = setegid(account.gid)
        .and_then(|()| seteuid(account.uid))
        .map_err(io::Error::from)
        .and_then(|()| if account.uid.is_root() { Ok(()) } else { before.capabilities.put_out_of_effect() });
    if let Err(error) = assumed {
        restore(account, &before)?;
        return Err(cannot(error));
    }
    Ok(before)
}

pub(super) fn restore(account: &Account, before: &Before) -> Result<(), Error> {
    before
        .restore()
        .map_err(|error| Error::because(format!("cannot become root again after acting as {account}"), error))
}

impl Before {
    fn note() -> io::Result<Self> {
        Ok(Self {
            uid: geteuid(),
            gid: getegid(),
            groups: getgroups()?,
            capabilities: Capabilities::note()?,
            end_of_parent: EndOfParent::note(),
        })
    }

    /// The user id comes first: it is still the real or the saved one, so this needs no privilege. After that, more
    /// capabilities may be in effect than before, so they are restored next. Setting the groups needs one of them.
    fn restore(&self) -> io::Result<()> {
        seteuid(self.uid)?;
        self.capabilities.restore()?;
        setegid(self.gid)?;
        setgroups(&self.groups)?;
        self.end_of_parent.restore();
        Ok(())
    }
}

/// The signal that this process gets when its parent ends. The kernel forgets it when the ids change,
/// `PR_SET_PDEATHSIG(2const)`.
#[cfg(any(target_os = "linux", target_os = "android"))]
struct EndOfParent {
    parent: Pid,
    signal: Option<Signal>,
}

#[cfg(any(target_os = "linux", target_os = "android"))]
impl EndOfParent {
    fn note() -> Self {
        Self { parent: getppid(), signal: prctl::get_pdeathsig().ok().flatten() }
    }

    fn restore(&self) {
        let Some(signal) = self.signal else { return };
        let _ = prctl::set_pdeathsig(signal);
        if getppid() != self.parent {
            let _ = raise(signal); // the parent ended meanwhile
        }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
struct EndOfParent;

#[cfg(not(any(target_os = "linux", target_os = "android")))]
#[allow(clippy::unused_self, reason = "as where there is such a signal")]
impl EndOfParent {
    fn note() -> Self {
        Self
    }

    fn restore(&self) {}
}

/// Capabilities that have to be put out of effect. Changing the user id does that only for root's, and not with certain
/// securebits; it does not do it for ambient capabilities, nor for those of another user, capabilities(7).
#[cfg(any(target_os = "linux", target_os = "android"))]
struct Capabilities(crate::sys::Capabilities);

#[cfg(any(target_os = "linux", target_os = "android"))]
impl Capabilities {
    fn note() -> io::Result<Self> {
        crate::sys::capabilities().map(Self)
    }

    fn put_out_of_effect(&self) -> io::Result<()> {
        change_to(&self.0.out_of_effect())
    }

    fn restore(&self) -> io::Result<()> {
        change_to(&self.0)
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn change_to(capabilities: &crate::sys::Capabilities) -> io::Result<()> {
    if crate::sys::capabilities()? == *capabilities { Ok(()) } else { crate::sys::set_capabilities(capabilities) }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
struct Capabilities;

#[cfg(not(any(target_os = "linux", target_os = "android")))]
#[allow(clippy::unnecessary_wraps, clippy::unused_self, reason = "as where there are capabilities")]
impl Capabilities {
    fn note() -> io::Result<Self> {
        Ok(Self)
    }

    fn put_out_of_effect(&self) -> io::Result<()> {
        Ok(())
    }

    fn restore(&self) -> io::Result<()> {
        Ok(())
    }
}
