//! Runs a program that detaches, and has a system call go wrong in one of its processes:
//! `inject [--list] [--client] [--upgrade] [--hand-on N=FILE]... [--at PROCESS CALL OCCURRENCE FAULT] -- program argument…`
//!
//! The program is launched with each FILE open as descriptor N and with no other, with SIGUSR1 ignored, and with all
//! signals blocked.
//!
//! With `--client` the program goes on, and starts a launcher.
//!
//! With `--upgrade`, what the leader forks behind its daemon is `new-launcher`, and that one's start has `new-leader` and
//! `new-daemon`.
//!
//! PROCESS is `client`, `launcher`, `leader`, `daemon` or `every`; CALL is the name of a call or `every`; OCCURRENCE counts from
//! 1 in each process, or is `every`. FAULT is `error=N`, an errno; `late-error=N`, which comes although the call was
//! done; `short`, where one byte is read or written; `delay=MS`; or `kill=PROCESS`, which is over when the call goes
//! on.
//!
//! Calls count from the mark of the start on, but in `setup`; in leader and daemon from their first instruction on, and
//! no longer than to the mark of `main`. Written to standard output: `call PROCESS NAME OBJECT` for each of them with
//! `--list`, `hit` when the fault is there, `main` when that begins, and `exit PROCESS N` at the end of one that is
//! traced still, and of the first. The end of all is the end of the program's last descendant.

#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
#[path = "inject/call.rs"]
mod call;
#[cfg(target_arch = "x86_64")]
#[path = "inject/fault.rs"]
mod fault;
#[cfg(target_arch = "x86_64")]
#[path = "inject/tracer.rs"]
mod tracer;

#[cfg(target_arch = "x86_64")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracer::run()
}

#[cfg(not(target_arch = "x86_64"))]
fn main() {}
