//! The Python that starts MiniStack with what it differs from AWS in corrected (`ministack/`), carried in the
//! program, as that may be anywhere.

use std::path::{Path, PathBuf};

use super::{LocalError, io};

/// Its directory's name, which its process is known by. Not `ministack`: that is the package that it starts.
pub(super) const NAME: &str = "stepstack_ministack";

macro_rules! files {
    ($($path:literal),+ $(,)?) => { [$(($path, include_str!(concat!("ministack/", $path)))),+] };
}

/// Every file, by its path in the directory.
const FILES: [(&str, &str); 17] = files![
    "__main__.py",
    "corrections/__init__.py",
    "corrections/acm.py",
    "corrections/application_autoscaling.py",
    "corrections/ec2.py",
    "corrections/ecr.py",
    "corrections/ecs.py",
    "corrections/elb.py",
    "corrections/iam.py",
    "corrections/iam_enforcement.py",
    "corrections/rds.py",
    "corrections/register.py",
    "corrections/s3.py",
    "corrections/secretsmanager.py",
    "door.py",
    "patching.py",
    "test_hooks.py",
];

/// Writes the launcher into `parent`, in place of another version's, and answers the directory to start.
pub(super) fn write(parent: &Path) -> Result<PathBuf, LocalError> {
    let directory = parent.join(NAME);
    // Nothing of another version may stay, its byte code neither.
    match std::fs::remove_dir_all(&directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(io(format!("removing {}", directory.display()))(error));
        }
        _ => {}
    }
    for (path, text) in FILES {
        let file = directory.join(path);
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder).map_err(io(format!("making {}", folder.display())))?;
        }
        std::fs::write(&file, text).map_err(io(format!("writing {}", file.display())))?;
    }
    Ok(directory)
}

/// Tells one version of it from another.
pub(super) fn fingerprint() -> String {
    statemachine::resource::short_hash(&FILES)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn below(directory: &Path) -> Vec<PathBuf> {
        let entries =
            std::fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry").path());
        entries.flat_map(|path| if path.is_dir() { below(&path) } else { vec![path] }).collect()
    }

    #[test]
    fn every_file_is_carried() {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/local/ministack");
        let mut on_disk = below(&source);
        on_disk.retain(|path| path.extension().is_some_and(|extension| extension == "py"));
        on_disk.sort();
        assert_eq!(on_disk, FILES.map(|(path, _)| source.join(path)));
    }

    #[test]
    fn nothing_of_another_version_stays() {
        let parent = tempfile::TempDir::new().expect("a directory");
        let stale = parent.path().join(NAME).join("corrections/stale.py");
        std::fs::create_dir_all(stale.parent().expect("it has one")).expect("it is made");
        std::fs::write(&stale, "").expect("it is written");
        let directory = write(parent.path()).expect("it is written");
        assert!(!stale.exists());
        assert_eq!(below(&directory).len(), FILES.len());
    }
}
