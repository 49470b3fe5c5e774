//! Attributes above, below and inside.

/// Documented.
#[cfg(not(windows))]
#[allow(clippy::unnecessary_wraps)]
#[daemon_rt::daemon(detach = { let unused = 1; daemon_rt::Detach::Never })]
#[cfg(unix)]
#[allow(unused_variables)]
#[cfg_attr(unix, inline(never))]
#[expect(clippy::let_and_return)]
#[deprecated = "in a test"]
#[rustfmt::skip]
fn main() -> Result<(), String> {
    #![allow(clippy::bool_assert_comparison)]
    assert_eq!(true, cfg!(unix));
    let unused = 1;
    let result = Ok(());
    result
}

/// Not compiled.
#[daemon_rt::daemon(detach = daemon_rt::Detach::Never)]
#[cfg(windows)]
fn main() {
    this_does_not_exist();
}
