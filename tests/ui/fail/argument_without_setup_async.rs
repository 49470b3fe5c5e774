use std::net::TcpListener;

use daemon_rt::daemon;

#[daemon]
#[tokio::main]
async fn main(_: TcpListener) {}
