//! What the attribute accepts, what an editor shows of it, and what of it is in a program.

mod forms;
mod hover;
mod linked;
