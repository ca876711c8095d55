//! Building and pushing an image with the user's own docker.

use std::path::Path;
use std::process::Stdio;

use aws::failed;
use aws_smithy_types::base64;
use jiff::Timestamp;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::error::{CliError, Result};
use crate::session::Session;
use crate::show;

/// What tasks run on where the image leaves the choice: the cheaper one.
const PLATFORM: &str = "linux/arm64";

/// Builds a directory and pushes it under a tag of its own; answers the tag.
pub(crate) async fn build_and_push(session: &Session, directory: &Path) -> Result<String> {
    if !directory.join("Dockerfile").is_file() {
        let error = CliError::usage(format!("There is no Dockerfile in {}.", directory.display()));
        return Err(error.help("Name the directory that has one: `stepstack deploy --build .`"));
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
    docker(&["login", "--username", "AWS", "--password-stdin", registry], Some(password)).await?;
    show::note(&format!("Building {}", directory.display()));
    let place =
        directory.to_str().ok_or_else(|| CliError::usage("The directory's name is no plain text."))?;
    docker(&["build", "--platform", PLATFORM, "--tag", &image, place], None).await?;
    show::note(&format!("Pushing {image}"));
    docker(&["push", &image], None).await?;
    Ok(tag)
}

/// Runs docker; what it says goes to standard error.
async fn docker(arguments: &[&str], input: Option<&str>) -> Result<()> {
    let mut command = Command::new("docker");
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::inherit());
    command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
    let mut child = command.spawn().map_err(|error| {
        let error = CliError::failed(format!("docker does not start: {error}."));
        error.help("Install docker, or push the image by other means and deploy its tag.")
    })?;
    if let (Some(input), Some(mut stdin)) = (input, child.stdin.take()) {
        let write = stdin.write_all(input.as_bytes()).await;
        write.map_err(|error| CliError::failed(format!("docker does not read its input: {error}.")))?;
    }
    let output = child.wait_with_output().await;
    let output = output.map_err(|error| CliError::failed(format!("docker broke off: {error}.")))?;
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        show::note(line);
    }
    if output.status.success() {
        return Ok(());
    }
    let what = arguments.first().copied().unwrap_or_default();
    Err(CliError::failed(format!("`docker {what}` failed ({}); what it says is above.", output.status)))
}
