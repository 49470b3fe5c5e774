//! The attribute in a macro that passes on parts of every kind.

use daemon_rt::{Detach, daemon};

macro_rules! service {
    (
        $(#[$attribute:meta])*
        $visibility:vis fn $name:ident() -> $output:ty $body:block
        $option:ident = $value:expr
    ) => {
        #[daemon($option = $value, detach = Detach::Never)]
        $(#[$attribute])*
        $visibility fn $name() -> $output $body
    };
}

service! {
    /// Documented.
    #[cfg(unix)]
    fn main() -> Result<(), String> {
        let text = Some("macro").ok_or("nothing")?;
        println!("{text}");
        Ok(())
    }
    umask = 0o022
}
