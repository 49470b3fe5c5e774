//! Systems without such users and groups.

use crate::Id;

/// The identity that the daemon is to have: the options `user` and `group`.
#[derive(Debug, Default)]
pub(crate) struct Identity {
    pub(crate) user: Option<Id>,
    pub(crate) group: Option<Id>,
}
