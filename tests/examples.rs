//! The examples, started as their readers start them.

mod client;
mod echo;
mod service;
mod shell;
