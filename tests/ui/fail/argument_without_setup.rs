use std::net::TcpListener;

use daemon_rt::daemon;

#[daemon]
fn main(_: TcpListener) {}
