//! The file mode creation mask, as a person writes it.

pub(crate) use self::sealed::Mask;

/// A value of [`umask`](crate::Daemon::umask): a [`u32`], or an `Option<u32>`. `None` keeps the launcher's mask.
///
/// ```no_run
/// use daemon_rt::daemon;
///
/// #[daemon(umask = None)]
/// fn main() {}
/// ```
#[diagnostic::on_unimplemented(
    message = "`umask` takes a `u32`, e.g. `0o027`, or `None`, which keeps the launcher's; found `{Self}`",
    label = "expected `u32` or `Option<u32>`"
)]
pub trait Umask: sealed::Umask {}

impl Umask for u32 {}
impl Umask for Option<u32> {}

mod sealed {
    pub trait Umask {
        fn mask(self) -> Mask;
    }

    /// What the option says.
    #[derive(Debug, Clone, Copy)]
    pub enum Mask {
        /// The option is not set.
        Default,
        Number(u32),
        OfLauncher,
    }

    impl Umask for u32 {
        fn mask(self) -> Mask {
            Mask::Number(self)
        }
    }

    impl Umask for Option<u32> {
        fn mask(self) -> Mask {
            self.map_or(Mask::OfLauncher, Mask::Number)
        }
    }
}
