//! Logs on systems where the streams stay as they are.

use crate::Error;

/// Does nothing, because there is nothing to reopen.
///
/// # Errors
///
/// None here. On Unix, a file cannot be opened, or there was no start with the option `reopen_logs`.
pub fn reopen_logs() -> Result<(), Error> {
    Ok(())
}

/// Does nothing, because there is nothing to rotate.
///
/// # Errors
///
/// None here. On Unix, a log cannot be rotated, or none has a limit.
pub fn rotate_logs() -> Result<(), Error> {
    Ok(())
}
