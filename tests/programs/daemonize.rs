//! A daemon by the crate `daemonize`, as its documentation has it: `daemonize USER GROUP [PIDFILE]`. With a pidfile, the
//! umask is 0, as in daemons of old. It lives until it is killed.

use std::{env, error::Error, thread, time::Duration};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let (user, group) = (arguments.next().ok_or("a user")?, arguments.next().ok_or("a group")?);
    let mut daemon = daemonize::Daemonize::new().user(user.as_str()).group(group.as_str()).working_directory(".");
    if let Some(path) = arguments.next() {
        daemon = daemon.pid_file(path).umask(0);
    }
    daemon.start()?;
    loop {
        thread::sleep(Duration::from_secs(1000));
    }
}
