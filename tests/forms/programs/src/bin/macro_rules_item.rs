//! The attribute in a macro that passes on the whole function and whole options.

use daemon_rt::{Detach, daemon};

macro_rules! service {
    ($option:meta, $path:path, $item:item) => {
        #[daemon($option, detach = Detach::Never, crate = $path)]
        $item
    };
}

service! {
    umask = 0o022,
    ::daemon_rt,
    fn main() {
        println!("item");
    }
}
