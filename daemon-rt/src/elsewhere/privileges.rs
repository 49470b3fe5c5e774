//! There are no such users and groups.

use crate::Id;

/// Who the daemon is to be: the options `user` and `group`.
#[derive(Debug, Default)]
pub(crate) struct Identity {
    pub(crate) user: Option<Id>,
    pub(crate) group: Option<Id>,
}
