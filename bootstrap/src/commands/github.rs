//! Files and a role for a user's repository on GitHub.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::cli::Global;
use crate::error::{CliError, Code, Result};
use crate::github::workflows;
use crate::install::{bring_up_github, is_repository};
use crate::session::Session;
use crate::show;

/// Where GitHub looks for workflows.
const WORKFLOWS: &str = ".github/workflows";

/// Writes the workflows into the configuration's repository. What stands there already is left alone.
pub(crate) async fn init(global: &Global) -> Result<Code> {
    let session = Session::open_with_file(global).await?;
    let Some(file) = &session.file else {
        return Err(CliError::usage("The workflows name the configuration's file: name it with -c."));
    };
    let (root, name) = in_repository(&global.file)?;
    let directory = root.join(WORKFLOWS);
    let cannot = |path: &Path, error: &std::io::Error| {
        CliError::failed(format!("{} cannot be written: {error}.", path.display()))
    };
    std::fs::create_dir_all(&directory).map_err(|error| cannot(&directory, &error))?;
    let (mut wrote, mut left) = (Vec::new(), Vec::new());
    for workflow in workflows(&file.stack, &session.scope, &name) {
        let path = directory.join(workflow.name);
        if path.exists() {
            left.push(path);
            continue;
        }
        std::fs::write(&path, workflow.text).map_err(|error| cannot(&path, &error))?;
        wrote.push(path);
    }
    if session.json {
        show::json(&json!({ "wrote": wrote, "left": left }));
        return Ok(Code::Done);
    }
    for path in &wrote {
        show::line(&format!("Wrote {}.", path.display()));
    }
    for path in &left {
        show::line(&format!("{} is there already, and was left as it is.", path.display()));
    }
    show::line("Keep stepstack.yml, or the other two instead of it. Then make their role:");
    show::line("  stepstack bootstrap --github OWNER/REPO");
    Ok(Code::Done)
}

/// The repository that a file is in, and the file's place in it; without a repository its own directory.
fn in_repository(file: &Path) -> Result<(PathBuf, String)> {
    let file = std::path::absolute(file)
        .map_err(|error| CliError::failed(format!("{} has no place: {error}.", file.display())))?;
    let own = file.parent().unwrap_or(Path::new("/"));
    let root = own.ancestors().find(|directory| directory.join(".git").exists()).unwrap_or(own);
    let name = file.strip_prefix(root).unwrap_or(&file).to_string_lossy().into_owned();
    Ok((root.to_owned(), name))
}

/// Makes the role that the workflows of a repository take.
pub(crate) async fn role(global: &Global, repository: &str) -> Result<Code> {
    if !is_repository(repository) {
        let error = CliError::usage(format!("{repository:?} is no repository."));
        return Err(error.help("Write it as GitHub does: OWNER/REPO."));
    }
    let session = Session::open(global).await?;
    let arn = bring_up_github(&session.config, &session.scope, repository).await?;
    if session.json {
        show::json(&json!({ "role": arn, "repository": repository }));
    } else {
        show::line(&format!("The workflows of {repository} may take the role {arn}."));
        show::line("It may put configurations in their place and push images, and nothing else.");
    }
    Ok(Code::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workflows_stand_at_the_repository_s_root_and_name_the_file_from_there() {
        let directory = tempfile::TempDir::new().expect("a directory");
        let below = directory.path().join("infra/production");
        std::fs::create_dir_all(&below).expect("directories");
        let file = below.join("stepstack.toml");
        assert_eq!(in_repository(&file).expect("a place"), (below, "stepstack.toml".to_owned()));
        // In a worktree `.git` is a file.
        std::fs::write(directory.path().join(".git"), "gitdir: elsewhere").expect("a file");
        let below_root = (directory.path().to_owned(), "infra/production/stepstack.toml".to_owned());
        assert_eq!(in_repository(&file).expect("a place"), below_root);
    }
}
