//! What whoever starts a daemon may rely on.

mod after_exec;
mod exhaustion;
mod failed_start;
mod failing_steps;
mod foreground;
mod hostile_text;
mod inherited;
mod job_control;
mod last_words;
mod limits;
mod ready;
mod session;
mod shown;
mod spawn;
mod spawn_in_turn;
mod start;
mod stop;
mod stop_requested;
mod threads;
mod torture;
