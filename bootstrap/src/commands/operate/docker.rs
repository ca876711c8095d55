//! Building and pushing an image with the user's own docker.

use std::path::Path;
use std::process::Stdio;

use aws::failed;
use aws_smithy_types::base64;
use jiff::Timestamp;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::Command;

use crate::error::{CliError, Result};
use crate::session::Session;
use crate::show;

/// What Fargate runs.
const PLATFORMS: [&str; 2] = ["linux/arm64", "linux/amd64"];

/// Builds a directory and pushes it under a tag of its own; answers the tag. Without a platform it is the one
/// that docker runs on: built for another, an image takes many times as long.
pub(crate) async fn build_and_push(
    session: &Session,
    directory: &Path,
    platform: Option<&str>,
) -> Result<String> {
    if !directory.join("Dockerfile").is_file() {
        let error = CliError::usage(format!("There is no Dockerfile in {}.", directory.display()));
        return Err(error.help("Name the directory that has one: `stepstack deploy --build .`"));
    }
    if session.local {
        let error = CliError::usage("The AWS on this machine takes no image from docker.");
        return Err(error.help("Push a sample with `stepstack --local local push`, and deploy its tag."));
    }
    let context =
        directory.to_str().ok_or_else(|| CliError::usage("The directory's name is no plain text."))?;
    let platform = match platform {
        Some(platform) => platform.to_owned(),
        None => docker(&["version", "--format", "{{.Server.Os}}/{{.Server.Arch}}"], None, Says::Quietly)
            .await?
            .trim()
            .to_owned(),
    };
    if !PLATFORMS.contains(&platform.as_str()) {
        let error = CliError::usage(format!("Fargate runs no image of the platform {platform:?}."));
        return Err(error.help("Say one with --platform: linux/arm64 or linux/amd64."));
    }
    let ecr = aws_sdk_ecr::Client::new(&session.config);
    let token = ecr.get_authorization_token().send().await.map_err(failed("ecr:GetAuthorizationToken"))?;
    let token = token.authorization_data().first().and_then(|data| data.authorization_token());
    let token = token.ok_or_else(|| CliError::failed("ECR gives no token to push with."))?;
    let login = base64::decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let password = login.as_deref().and_then(|login| login.split_once(':')).map(|(_, password)| password);
    let password = password.ok_or_else(|| CliError::failed("ECR's token to push with cannot be read."))?;
    let repositories = ecr.describe_repositories().repository_names(session.stack()).send().await;
    let repositories = repositories.map_err(failed("ecr:DescribeRepositories"))?;
    let uri = repositories.repositories().first().and_then(|repository| repository.repository_uri());
    let uri = uri.ok_or_else(|| CliError::failed("The repository has no address."))?.to_owned();
    let registry = uri.split('/').next().unwrap_or_default();

    let tag = Timestamp::now().strftime("build-%Y%m%d-%H%M%S").to_string();
    let image = format!("{uri}:{tag}");
    // The password goes in by standard input: arguments are for everybody on the machine to see.
    docker(&["login", "--username", "AWS", "--password-stdin", registry], Some(password), Says::Aloud)
        .await?;
    show::note(&format!("Building {} for {platform}", directory.display()));
    docker(&["build", "--platform", &platform, "--tag", &image, context], None, Says::Aloud).await?;
    show::note(&format!("Pushing {image}"));
    docker(&["push", &image], None, Says::Aloud).await?;
    Ok(tag)
}

/// What becomes of what docker writes to its standard output.
#[derive(Clone, Copy, PartialEq)]
enum Says {
    /// It goes to standard error, line by line as it comes.
    Aloud,
    /// It is only answered.
    Quietly,
}

/// Runs docker, and answers what it wrote to its standard output. Its standard error is ours.
async fn docker(arguments: &[&str], input: Option<&str>, says: Says) -> Result<String> {
    let mut command = Command::new("docker");
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::inherit()).kill_on_drop(true);
    command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
    let mut child = command.spawn().map_err(|error| {
        let error = CliError::failed(format!("docker does not start: {error}."));
        error.help("Install docker, or push the image by other means and deploy its tag.")
    })?;
    let broke_off = |error: std::io::Error| CliError::failed(format!("docker broke off: {error}."));
    if let (Some(input), Some(mut stdin)) = (input, child.stdin.take()) {
        // One that ends without reading says why by its own words and its exit code.
        let _ = stdin.write_all(input.as_bytes()).await;
    }
    let mut said = String::new();
    if let Some(stdout) = child.stdout.take() {
        let mut lines = BufReader::new(stdout).lines();
        while let Some(line) = lines.next_line().await.map_err(broke_off)? {
            if says == Says::Aloud {
                show::note(&line);
            }
            said.push_str(&line);
            said.push('\n');
        }
    }
    let status = child.wait().await.map_err(broke_off)?;
    if status.success() {
        return Ok(said);
    }
    let what = arguments.first().copied().unwrap_or_default();
    Err(CliError::failed(format!("`docker {what}` failed ({status}); what it says is above.")))
}
