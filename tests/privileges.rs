//! Who the daemon runs as, and how nobody can misuse what root does for it.

mod accounts;
mod attacks;
mod gained;
mod identity;
mod less_than_user;
