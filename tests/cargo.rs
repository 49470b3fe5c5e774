//! Cargo on this workspace, in the target directory of this test.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

/// Adds a subcommand with its arguments, wherever it is going to run.
pub(crate) fn subcommand<'cargo>(cargo: &'cargo mut Command, arguments: &[&str]) -> &'cargo mut Command {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    cargo.args(arguments).args(["--manifest-path", manifest]).env("CARGO_TARGET_DIR", target_directory())
}

/// An example, built from what stands in the repository now; or the one in the directory `EXAMPLES`, .ci/other-programs.
pub(crate) fn example(name: &str) -> PathBuf {
    static EXAMPLES: LazyLock<PathBuf> = LazyLock::new(|| {
        if let Some(directory) = env::var_os("EXAMPLES") {
            return directory.into();
        }
        // All that `cargo test` builds, so that dependencies have the features that they have there.
        let mut cargo = Command::new(env!("CARGO"));
        let status = subcommand(&mut cargo, &["build", "--quiet", "--examples"]).status();
        assert!(status.expect("start cargo").success(), "the examples cannot be built");
        target_directory().join("debug/examples")
    });
    EXAMPLES.join(name)
}

fn target_directory() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the directory above")
}
