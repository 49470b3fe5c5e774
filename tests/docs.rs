//! What the pages say.

mod errors;
mod manual;
mod readme;
mod what_nobody_can_change;
