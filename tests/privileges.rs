//! Who the daemon is, and what nobody can do with what root does for it.

mod accounts;
mod attacks;
mod gained;
mod identity;
mod less_than_user;
