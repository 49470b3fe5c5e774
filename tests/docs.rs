//! What the pages say.

mod errors;
mod manual;
mod model;
mod readme;
mod what_nobody_can_change;
