//! The `#[daemon]` attribute of [`daemon-rt`](https://docs.rs/daemon-rt), which re-exports it and has its manual.
#![forbid(unsafe_code)]

mod attribute;
mod checks;
mod edit_distance;
mod errors;
mod expand;
mod expression;
mod item;
mod keys;
mod main_fn;
mod options;
mod tokens;

#[cfg(test)]
mod tests;

use proc_macro::TokenStream;

/// Runs `fn main` as a Unix daemon.
///
/// ```text
/// #[daemon(stdout = "/var/log/clockd.log", umask = 0o022)]
/// fn main() {}
/// ```
///
/// An option is the method of `daemon_rt::Daemon` with the same name, which describes it. Its value is any expression
/// that the method takes. A flag alone is `true`: `notify` means `notify = true`. The options are `name`, `stdin`,
/// `stdout`, `stderr`, `umask`, `chdir`, `chroot`, `user`, `group`, `no_new_privs`, `reopen_logs`, `pidfile`, `keep_env`,
/// `keep_fds`, `detach`, `notify`, `ready_fd`, `start_timeout`, `stop_timeout` and `respawn`.
///
/// Two more are for the attribute itself. `setup = path` names a function that runs before the fork; `main` takes what
/// it returns. `crate = ::path` says where a renamed `daemon_rt` is.
///
/// Attributes such as `#[tokio::main]` go below this one: a runtime has to start after the fork.
#[proc_macro_attribute]
pub fn daemon(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(options.into(), item.into()).into()
}
