//! The examples, started as their readers start them.

mod service;
mod shell;
