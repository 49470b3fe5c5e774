//! Who else may change what a path leads to.

use std::{
    collections::VecDeque,
    ffi::{OsStr, OsString},
    fs::{self, Metadata},
    io,
    os::unix::fs::MetadataExt,
    path::{Component, Path, PathBuf},
};

use crate::refusal::refused;

/// As many as Linux follows, `path_resolution(7)`.
const MAX_LINKS: usize = 40;

/// In a sticky directory nobody can replace what is somebody else's, but anybody can put something in place of what is
/// missing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sticky {
    /// Safe as any directory of the path.
    Safe,
    /// Safe, except as the last one.
    SafeAbove,
}

/// The directory, if there is one, in which somebody but root may put another file at that path, or have it lead
/// elsewhere.
///
/// Every step is judged before it is taken: what root alone can change stays what was seen.
pub(crate) fn open_to_others(path: &Path, sticky: Sticky) -> io::Result<Option<PathBuf>> {
    let mut left = components(path);
    let mut links = 0;
    let mut at = PathBuf::from("/");
    let root = Roots { owner: fs::metadata("/")?.uid() };
    while let Some(name) = left.pop_front() {
        if name == ".." {
            at.pop();
            continue;
        }
        let directory = fs::symlink_metadata(&at)?;
        let is_last = left.is_empty();
        if !root.alone_writes(&directory) {
            let is_safe = root.made_sticky(&directory) && !(is_last && sticky == Sticky::SafeAbove);
            if !is_safe || (!is_last && !root.owns(&fs::symlink_metadata(at.join(&name))?)) {
                return Ok(Some(at));
            }
        }
        if is_last {
            break;
        }
        at.push(name);
        if fs::symlink_metadata(&at)?.is_symlink() {
            links += 1;
            if links > MAX_LINKS {
                return Err(refused("too many symbolic links lead to it"));
            }
            let target = fs::read_link(&at)?;
            at.pop();
            if target.is_absolute() {
                at = PathBuf::from("/");
            }
            components(&target).into_iter().rev().for_each(|component| left.push_front(component));
        }
    }
    Ok(None)
}

/// Root, and who owns the root directory, and with it everything: in a user namespace that may be somebody outside.
struct Roots {
    owner: u32,
}

impl Roots {
    fn owns(&self, file: &Metadata) -> bool {
        file.uid() == 0 || file.uid() == self.owner
    }

    fn alone_writes(&self, directory: &Metadata) -> bool {
        self.owns(directory) && directory.mode() & 0o022 == 0
    }

    fn made_sticky(&self, directory: &Metadata) -> bool {
        self.owns(directory) && directory.mode() & 0o1000 != 0
    }
}

fn components(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter(|component| matches!(component, Component::Normal(_) | Component::ParentDir))
        .map(|component| OsStr::to_owned(component.as_os_str()))
        .collect()
}
