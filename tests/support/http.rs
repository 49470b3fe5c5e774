//! Requests over HTTP, as a client sends them.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

/// The status and the body of the answer to a request.
///
/// # Panics
///
/// Panics when the connection ends without an answer.
#[allow(clippy::must_use_candidate, reason = "a connection that is answered has been accepted")]
pub fn get(mut connection: TcpStream, path: &str) -> String {
    begin(&mut connection, path);
    finish(connection)
}

/// Sends a request, but for the empty line that ends it.
///
/// # Panics
///
/// Panics when the other end is closed.
pub fn begin(connection: &mut TcpStream, path: &str) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
    connection.write_all(request.as_bytes()).expect("begin a request");
}

/// Sends that line, and reads until the connection is closed.
///
/// # Panics
///
/// Panics when the connection ends without an answer.
#[must_use]
pub fn finish(mut connection: TcpStream) -> String {
    connection.write_all(b"\r\n").expect("end a request");
    let mut answer = String::new();
    connection.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.lines().next().and_then(|line| line.strip_prefix("HTTP/1.1 ")).expect(head);
    format!("{status}: {body}")
}
