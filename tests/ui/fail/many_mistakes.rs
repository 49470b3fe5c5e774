use std::net::TcpListener;

use daemon_rt::daemon;

#[daemon(
    umaks = 0o022,
    umask = 022,
    stdout = "",
    notify,
    notify,
    chdir,
    stderr = "null",
    name: "server"
    keep_fds = [3],
)]
#[daemon]
pub unsafe extern "C" fn main<T>(listener: TcpListener) -> Result<(), String>
where
    T: Clone,
{
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    println!("{address}");
    Ok(())
}
