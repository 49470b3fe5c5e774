//! Logs where the streams stay what they are.

use crate::Error;

/// There is nothing to reopen.
///
/// # Errors
///
/// None here. On Unix, a file cannot be opened, or there was no start with the option `reopen_logs`.
pub fn reopen_logs() -> Result<(), Error> {
    Ok(())
}
