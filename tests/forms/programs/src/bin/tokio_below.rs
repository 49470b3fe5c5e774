//! The usual order: the runtime starts in the daemon.

use daemon_rt::{Detach, daemon};

#[daemon(detach = Detach::Never)]
#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    tokio::task::yield_now().await;
    println!("tokio");
    Ok(())
}
