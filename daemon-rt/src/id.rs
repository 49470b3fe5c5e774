//! How a person names a user or a group.

/// A user or a group, by name or number: the value of the options `user` and `group`.
///
/// Text is taken as a name. If no entry of the user or group database has that name, and the text is a decimal number,
/// it is taken as that number, as for chown(1) of POSIX. The number may begin with `+`, as in GNU coreutils. A [`u32`]
/// is a number. No other integer type converts.
///
/// Every name that id(1) finds is accepted, whatever characters it has. A number is an error if it is negative, if it
/// is 4294967295 or more, or if it has blanks around it. setpriv(1) accepts some of these, but setresuid(2) reads
/// 4294967295 as "no change", and 4294967296, cut to 32 bits, is root.
///
/// ```no_run
/// use daemon_rt::daemon;
///
/// #[daemon(user = "www-data", group = 4)]
/// fn main() {}
/// ```
///
/// Text from a configuration file may be owned, or borrowed:
///
/// ```
/// use daemon_rt::Daemon;
///
/// let [user, group] = ["www-data", "adm"].map(String::from);
/// Daemon::new().user(&user).group(group);
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

impl From<&String> for Id {
    fn from(name: &String) -> Self {
        name.clone().into()
    }
}

impl From<u32> for Id {
    fn from(number: u32) -> Self {
        Self(Kind::Number(number))
    }
}
