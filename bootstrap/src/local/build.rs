//! The functions of local mode: built from this checkout for this machine, and packed.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use aws_smithy_types::base64;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use zip::write::SimpleFileOptions;

use super::{LocalError, io};

/// A packed function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionZip {
    /// `network`
    pub name: String,
    /// Where the zip stands.
    pub path: PathBuf,
    /// SHA-256 of the zip in base64: Lambda's CodeSha256.
    pub sha256: String,
}

/// The functions, by the names of their crates.
pub const FUNCTIONS: [&str; 8] = statemachine::definition::FUNCTIONS;

/// What cargo prints about each artifact.
#[derive(Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    package_id: String,
    #[serde(default)]
    fresh: bool,
    /// Where the binary stands, of an artifact that is one.
    #[serde(default)]
    executable: Option<PathBuf>,
}

/// Builds the functions for this machine, in the program's own profile, and packs them. Ready binaries, named
/// as their crates, are taken from `STEPSTACK_FUNCTIONS_DIR` where it is set. `progress` hears what is compiled.
pub fn build_functions(progress: &dyn Fn(&str)) -> Result<Vec<FunctionZip>, LocalError> {
    let ready = std::env::var_os("STEPSTACK_FUNCTIONS_DIR").filter(|directory| !directory.is_empty());
    let binaries = match ready.map(PathBuf::from) {
        Some(directory) => FUNCTIONS.iter().map(|name| ((*name).to_owned(), directory.join(name))).collect(),
        None => compile(progress)?,
    };
    let packed = FUNCTIONS.iter().map(|name| match binaries.get(*name) {
        Some(binary) => pack(name, binary),
        None => Err(LocalError::NotBuilt(format!("cargo made no binary of {name}."))),
    });
    packed.collect()
}

/// Has cargo build the functions; answers their binaries by name.
fn compile(progress: &dyn Fn(&str)) -> Result<BTreeMap<String, PathBuf>, LocalError> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    if !root.join("functions").is_dir() {
        return Err(LocalError::NotBuilt(format!(
            "the source is not at {} any more. Say where ready binaries are with STEPSTACK_FUNCTIONS_DIR.",
            root.display()
        )));
    }
    let is_optimized = !cfg!(debug_assertions);
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(&root).args(["build", "--message-format=json-render-diagnostics"]);
    forget_outer_cargo(&mut cargo);
    for function in FUNCTIONS {
        cargo.args(["--package", function]);
    }
    if is_optimized {
        cargo.arg("--release");
    }
    cargo.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child =
        cargo.spawn().map_err(|error| LocalError::NotBuilt(format!("cargo does not start: {error}")))?;
    let stderr = child.stderr.take().map(|stderr| {
        std::thread::spawn(move || BufReader::new(stderr).lines().map_while(Result::ok).collect::<Vec<_>>())
    });
    let (mut compiled, mut binaries) = (0, BTreeMap::new());
    for line in child
        .stdout
        .take()
        .into_iter()
        .flat_map(|stdout| BufReader::new(stdout).lines().map_while(Result::ok))
    {
        let Ok(message) = serde_json::from_str::<Message>(&line) else { continue };
        if message.reason != "compiler-artifact" {
            continue;
        }
        let name = package(&message.package_id);
        if !message.fresh {
            compiled += 1;
            progress(&format!("Building the functions: compiled {name} ({compiled})"));
        }
        if let Some(executable) = message.executable {
            binaries.insert(name.to_owned(), executable);
        }
    }
    let status = child.wait().map_err(|error| LocalError::NotBuilt(error.to_string()))?;
    let said = stderr.and_then(|reader| reader.join().ok()).unwrap_or_default();
    if !status.success() {
        return Err(LocalError::NotBuilt(said.join("\n")));
    }
    Ok(binaries)
}

/// Takes away what an outer cargo (`cargo run`, `cargo test`) tells its programs about their package. Build
/// scripts look at these (ring's does), and would run again, and all that depends on them be built again, each
/// time that the outer one differs.
fn forget_outer_cargo(cargo: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let Some(text) = name.to_str() else { continue };
        let package =
            ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_", "CARGO_CFG_", "CARGO_FEATURE_"];
        let single = ["CARGO_PRIMARY_PACKAGE", "CARGO_RUSTC_CURRENT_DIR", "CARGO_TARGET_TMPDIR", "OUT_DIR"];
        if package.iter().any(|prefix| text.starts_with(prefix)) || single.contains(&text) {
            cargo.env_remove(&name);
        }
    }
}

/// `aws-sdk-ec2` of `registry+…#aws-sdk-ec2@1.274.0`, `network` of `path+…/functions/network#0.1.0`.
fn package(id: &str) -> &str {
    let (source, rest) = id.rsplit_once('#').unwrap_or(("", id));
    match rest.split_once('@') {
        Some((name, _)) => name,
        None => source.rsplit('/').next().unwrap_or(rest),
    }
}

/// Packs a binary as Lambda's `bootstrap`. The zip stands beside the binary and carries its modification time:
/// with the same time it is the same binary's, and is not made again.
fn pack(name: &str, binary: &Path) -> Result<FunctionZip, LocalError> {
    let path = binary.with_extension("zip");
    let modified = |path: &Path| std::fs::metadata(path).and_then(|data| data.modified());
    let built = modified(binary).map_err(io(format!("reading {}", binary.display())))?;
    if !modified(&path).is_ok_and(|packed| packed == built) {
        let bytes = std::fs::read(binary).map_err(io(format!("reading {}", binary.display())))?;
        let zipped = zip(&bytes)
            .map_err(|error| LocalError::NotBuilt(format!("{name} could not be packed: {error}.")))?;
        // Written beside and moved, so that another command never sees half of it.
        let part = binary.with_extension(format!("zip.{}", std::process::id()));
        std::fs::write(&part, zipped).map_err(io(format!("writing {}", part.display())))?;
        let stamped =
            std::fs::File::options().write(true).open(&part).and_then(|file| file.set_modified(built));
        stamped
            .and_then(|()| std::fs::rename(&part, &path))
            .map_err(io(format!("writing {}", path.display())))?;
    }
    let zipped = std::fs::read(&path).map_err(io(format!("reading {}", path.display())))?;
    Ok(FunctionZip { name: name.to_owned(), path, sha256: base64::encode(Sha256::digest(zipped)) })
}

fn zip(binary: &[u8]) -> zip::result::ZipResult<Vec<u8>> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    // The fixed time keeps the same binary's zip the same, so that only what differs is published.
    let options = SimpleFileOptions::default()
        .unix_permissions(0o755)
        .last_modified_time(zip::DateTime::default())
        .compression_level(Some(if cfg!(debug_assertions) { 1 } else { 9 }));
    writer.start_file("bootstrap", options)?;
    writer.write_all(binary)?;
    Ok(writer.finish()?.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_names_packages_in_two_ways() {
        assert_eq!(package("registry+https://example.org/index#aws-sdk-ec2@1.274.0"), "aws-sdk-ec2");
        assert_eq!(package("path+file:///stepstack/functions/network#0.1.0"), "network");
        assert_eq!(package("path+file:///stepstack/functions/network#other@0.1.0"), "other");
    }

    #[test]
    fn a_binary_is_packed_as_bootstrap_and_again_only_when_it_changes() {
        let directory = tempfile::tempdir().expect("a directory");
        let binary = directory.path().join("network");
        std::fs::write(&binary, "one").expect("it is written");
        let first = pack("network", &binary).expect("it is packed");
        let mut archive =
            zip::ZipArchive::new(std::fs::File::open(&first.path).expect("it is there")).expect("a zip");
        let entry = archive.by_name("bootstrap").expect("Lambda runs the file of this name");
        assert_eq!(entry.unix_mode().map(|mode| mode & 0o777), Some(0o755));
        assert_eq!(std::io::read_to_string(entry).expect("text"), "one");

        let time = std::fs::metadata(&binary).and_then(|data| data.modified()).expect("a time");
        std::fs::write(&binary, "two").expect("it is written");
        let touch = |time| {
            let file = std::fs::File::options().write(true).open(&binary).expect("it is there");
            file.set_modified(time).expect("its time is set");
        };
        touch(time);
        assert_eq!(pack("network", &binary).expect("it is packed"), first, "the same time: not read again");
        touch(time + std::time::Duration::from_secs(1));
        assert_ne!(pack("network", &binary).expect("it is packed").sha256, first.sha256);
    }
}
