use daemon_rt::daemon;

/// Serves.
#[daemon]
#[allow(unused)]
#[inline(never)]
#[rustfmt::skip]
async fn main() {}
