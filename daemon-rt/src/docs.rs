//! Pages in addition to the manual, which is that of the attribute [`daemon`](macro@crate::daemon).

#[doc = include_str!("docs/coming_from.md")]
pub mod coming_from {}

#[doc = include_str!("docs/cost.md")]
pub mod cost {}

#[doc = include_str!("docs/dependencies.md")]
pub mod dependencies {}

#[doc = include_str!("docs/errors.md")]
pub mod errors {}

#[doc = include_str!("docs/how_it_starts.md")]
pub mod how_it_starts {}

#[doc = include_str!("docs/security.md")]
pub mod security {}

#[doc = include_str!("docs/side_by_side.md")]
pub mod side_by_side {}

#[doc = include_str!("docs/staying_up.md")]
pub mod staying_up {}

#[doc = include_str!("docs/what_nobody_can_change.md")]
pub mod what_nobody_can_change {}

#[doc = include_str!("docs/where_will_it_run.md")]
pub mod where_will_it_run {}
