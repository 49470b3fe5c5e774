//! Who a user or a group is, as a person writes it.

/// A user or a group, by its name or its number: the value of `user` and `group`.
///
/// Text is a name; where no entry of the user or group database has that name, and it is a decimal number, it is that
/// number, as for chown(1) of POSIX. It may begin with `+`, as in GNU coreutils. [`u32`] is a number, and no other type of
/// integer converts.
///
/// Every name that id(1) finds will do, whatever is in it. A negative number, one from 4294967295 on, and one with blanks
/// around it are errors, although setpriv(1) takes some of them: setresuid(2) reads 4294967295 as "no change", and
/// 4294967296, cut to 32 bits, is root.
///
/// ```no_run
/// use daemon_rt::daemon;
///
/// #[daemon(user = "www-data", group = 4)]
/// fn main() {}
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Id(pub(crate) Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    Name(String),
    Number(u32),
}

impl From<&str> for Id {
    fn from(name: &str) -> Self {
        name.to_owned().into()
    }
}

impl From<String> for Id {
    fn from(name: String) -> Self {
        Self(Kind::Name(name))
    }
}

impl From<u32> for Id {
    fn from(number: u32) -> Self {
        Self(Kind::Number(number))
    }
}
