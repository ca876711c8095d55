//! Directories that nobody but the user reads or writes.

use std::path::{Path, PathBuf};

use super::{LocalError, io};

/// Makes the directory, and takes from others what leave they have in it.
///
/// Fails where it is shared, like `/tmp`, and where it is another user's.
pub(super) fn make_private(path: &Path) -> Result<(), LocalError> {
    let making = || io(format!("making {} yours alone", path.display()));
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(making())?;
    }
    create(path).map_err(making())?;
    close(path)
}

#[cfg(unix)]
fn create(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(unix)]
fn close(path: &Path) -> Result<(), LocalError> {
    use std::os::unix::fs::PermissionsExt as _;
    let reading = io(format!("reading {}", path.display()));
    let mode = std::fs::metadata(path).map_err(reading)?.permissions().mode();
    if mode & 0o002 != 0 {
        return Err(LocalError::Shared(path.display().to_string()));
    }
    let others = mode & 0o077;
    if others == 0 {
        return Ok(());
    }
    // Only its owner may do this.
    let closing = io(format!("making {} yours alone", path.display()));
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700)).map_err(closing)
}

/// A user's directories are the user's alone there.
#[cfg(not(unix))]
fn create(path: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(path)
}

#[cfg(not(unix))]
fn close(_: &Path) -> Result<(), LocalError> {
    Ok(())
}

/// Where the virtual environment stands, and the state of the usual emulator: `XDG_CACHE_HOME`, else the home
/// directory's `.cache`. Nothing where the user has neither: a directory for all is no place for it.
pub(super) fn cache() -> Option<PathBuf> {
    let set = std::env::var_os("XDG_CACHE_HOME").filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = set.or_else(|| {
        std::env::home_dir().filter(|home| !home.as_os_str().is_empty()).map(|home| home.join(".cache"))
    });
    base.map(|base| base.join("stepstack"))
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).expect("it is there").permissions().mode() & 0o7777
    }

    #[test]
    fn a_directory_is_made_for_the_user_alone_and_an_open_one_closed() {
        let parent = tempfile::TempDir::new().expect("a directory");
        let path = parent.path().join("one/two");
        make_private(&path).expect("it is made");
        assert_eq!(mode(&path), 0o700);
        for open in [0o755, 0o775] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(open)).expect("it is opened");
            make_private(&path).expect("it is closed");
            assert_eq!(mode(&path), 0o700);
        }
    }

    #[test]
    fn a_directory_for_all_is_refused_and_left_as_it_is() {
        let parent = tempfile::TempDir::new().expect("a directory");
        for shared in [0o1777, 0o777] {
            std::fs::set_permissions(parent.path(), std::fs::Permissions::from_mode(shared))
                .expect("it is opened");
            let refused = make_private(parent.path()).expect_err("it is refused");
            assert!(refused.to_string().contains("shared with other users"), "{refused}");
            assert_eq!(mode(parent.path()), shared);
        }
    }
}
