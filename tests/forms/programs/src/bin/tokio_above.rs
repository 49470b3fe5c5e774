//! tokio expands first: what is annotated is the function that starts the runtime.

use daemon_rt::{Detach, daemon};

#[tokio::main]
#[daemon(detach = Detach::Never)]
async fn main() -> std::io::Result<()> {
    tokio::task::yield_now().await;
    println!("tokio");
    Ok(())
}
