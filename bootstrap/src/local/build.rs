//! The functions of local mode: built from this checkout for this machine, and packed.

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
}

/// Builds the functions in the program's own profile and packs them. Ready binaries are taken from
/// `STEPSTACK_FUNCTIONS_DIR` where it is set. `progress` hears what is being compiled.
pub fn build_functions(progress: &dyn Fn(&str)) -> Result<Vec<FunctionZip>, LocalError> {
    let binaries = match std::env::var_os("STEPSTACK_FUNCTIONS_DIR") {
        Some(directory) => PathBuf::from(directory),
        None => compile(progress)?,
    };
    FUNCTIONS.iter().map(|name| pack(&binaries, name)).collect()
}

fn compile(progress: &dyn Fn(&str)) -> Result<PathBuf, LocalError> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    if !root.join("functions").is_dir() {
        return Err(LocalError::NotBuilt(format!(
            "the source is not at {} any more. Say where ready binaries are with STEPSTACK_FUNCTIONS_DIR.",
            root.display()
        )));
    }
    let release = !cfg!(debug_assertions);
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(&root).args(["build", "--message-format=json-render-diagnostics"]);
    for function in FUNCTIONS {
        cargo.args(["--package", function]);
    }
    if release {
        cargo.arg("--release");
    }
    cargo.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = cargo.spawn().map_err(|error| LocalError::NotBuilt(format!("cargo does not start: {error}")))?;
    let stderr = child.stderr.take().map(|stderr| {
        std::thread::spawn(move || BufReader::new(stderr).lines().map_while(Result::ok).collect::<Vec<_>>())
    });
    let mut compiled = 0;
    for line in child.stdout.take().into_iter().flat_map(|stdout| BufReader::new(stdout).lines().map_while(Result::ok)) {
        let Ok(message) = serde_json::from_str::<Message>(&line) else { continue };
        if message.reason == "compiler-artifact" && !message.fresh {
            compiled += 1;
            progress(&format!("Building the functions: {} ({compiled})", package(&message.package_id)));
        }
    }
    let status = child.wait().map_err(|error| LocalError::NotBuilt(error.to_string()))?;
    let said = stderr.and_then(|reader| reader.join().ok()).unwrap_or_default();
    if !status.success() {
        return Err(LocalError::NotBuilt(said.join("\n")));
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    Ok(target.join(if release { "release" } else { "debug" }))
}

/// `aws-sdk-ec2` of `registry+…#aws-sdk-ec2@1.274.0`, `network` of `path+…/functions/network#0.1.0`.
fn package(id: &str) -> &str {
    let (place, rest) = id.rsplit_once('#').unwrap_or(("", id));
    match rest.split_once('@') {
        Some((name, _)) => name,
        None => place.rsplit('/').next().unwrap_or(rest),
    }
}

/// Packs a binary as Lambda's `bootstrap`. The zip stands beside the binary and is made again when that is
/// newer.
fn pack(directory: &Path, name: &str) -> Result<FunctionZip, LocalError> {
    let binary = directory.join(name);
    let path = directory.join(format!("{name}.zip"));
    let modified = |path: &Path| std::fs::metadata(path).and_then(|data| data.modified());
    let built = modified(&binary).map_err(io(format!("reading {}", binary.display())))?;
    if !modified(&path).is_ok_and(|packed| packed > built) {
        let bytes = std::fs::read(&binary).map_err(io(format!("reading {}", binary.display())))?;
        let zipped = zip(&bytes).map_err(|error| LocalError::NotBuilt(format!("{name} could not be packed: {error}")))?;
        // Written beside and moved, so that another command never sees half of it.
        let part = directory.join(format!("{name}.zip.{}", std::process::id()));
        std::fs::write(&part, zipped).map_err(io(format!("writing {}", part.display())))?;
        std::fs::rename(&part, &path).map_err(io(format!("writing {}", path.display())))?;
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
