//! Who else may change what a path leads to.

use std::{
    collections::VecDeque,
    ffi::{OsStr, OsString},
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Component, Path, PathBuf},
};

/// As many as Linux follows, `path_resolution(7)`.
const MAX_LINKS: usize = 40;

/// Whether somebody but root may put another file at that path, or have it lead elsewhere. In a sticky directory nobody
/// can replace what is root's; in the last one, they can put something in place of what is missing.
///
/// Every step is judged before it is taken: what root alone can change stays what was seen. A step that cannot be taken
/// counts as others'.
pub(crate) fn others_may_write(path: &Path) -> bool {
    walk(path).unwrap_or(true)
}

fn walk(path: &Path) -> io::Result<bool> {
    let mut left = components(path);
    let mut links = 0;
    let mut at = PathBuf::from("/");
    while let Some(name) = left.pop_front() {
        if name == ".." {
            at.pop();
            continue;
        }
        let directory = fs::symlink_metadata(&at)?;
        let may_write = directory.uid() != 0 || directory.mode() & 0o022 != 0;
        let is_sticky = directory.uid() == 0 && directory.mode() & 0o1000 != 0;
        if may_write && (left.is_empty() || !is_sticky) {
            return Ok(true);
        }
        if left.is_empty() {
            return Ok(false);
        }
        let found = fs::symlink_metadata(at.join(&name))?;
        if may_write && found.uid() != 0 {
            return Ok(true);
        }
        if !found.is_symlink() {
            at.push(name);
            continue;
        }
        links += 1;
        if links > MAX_LINKS {
            return Ok(true);
        }
        let target = fs::read_link(at.join(&name))?;
        if target.is_absolute() {
            at = PathBuf::from("/");
        }
        for component in components(&target).into_iter().rev() {
            left.push_front(component);
        }
    }
    Ok(false)
}

fn components(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter(|component| matches!(component, Component::Normal(_) | Component::ParentDir))
        .map(|component| OsStr::to_owned(component.as_os_str()))
        .collect()
}
