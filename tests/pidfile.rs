//! One running daemon, which the pidfile names.

mod attacks;
mod control;
mod lock;
mod obey;
mod torture;
