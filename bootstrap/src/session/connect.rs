//! Connections: to the AWS on this machine, or to the user's own.

use std::error::Error as _;

use aws::failed;
use aws_config::BehaviorVersion;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};
use aws_types::SdkConfig;
use aws_types::region::Region;

use crate::error::{CliError, Result};
use crate::local::{Endpoint, REGION, Server};
use crate::show::progress;

/// What to do without credentials.
const SIGN_IN: &str =
    "Sign in (`aws sso login`), set AWS_PROFILE, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.";

/// Where the AWS on this machine answers; it is started when it does not run.
pub(crate) async fn local_endpoint() -> Result<Endpoint> {
    let endpoint = tokio::task::spawn_blocking(|| {
        let progress = progress("Starting MiniStack");
        let endpoint =
            Server::from_environment().and_then(|server| server.ensure_running(&|what| progress.say(what)));
        progress.clear();
        endpoint
    });
    Ok(endpoint.await.map_err(|error| CliError::failed(error.to_string()))??)
}

/// The AWS on this machine, started when it does not run.
pub(super) async fn local() -> Result<SdkConfig> {
    let Endpoint { url, key } = local_endpoint().await?;
    let credentials = Credentials::new(key.access_key_id, key.secret_access_key, None, None, "local mode");
    Ok(aws::config(REGION, Some(&url), SharedCredentialsProvider::new(credentials)))
}

/// The user's own AWS, by the usual chain. Fails without a region and without credentials.
pub(super) async fn remote(region: Option<String>, profile: Option<&str>) -> Result<SdkConfig> {
    let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(aws::http_client(None));
    if let Some(profile) = profile {
        loader = loader.profile_name(profile);
    }
    if let Some(region) = region {
        loader = loader.region(Region::new(region));
    }
    let aws = loader.load().await;
    let Some(region) = aws.region() else {
        let error = CliError::usage("No AWS region is set.");
        return Err(
            error.help("Write `region = \"us-east-1\"` into the file, or set AWS_REGION or --region.")
        );
    };
    let none = || CliError::failed("There are no AWS credentials on this machine.").help(SIGN_IN);
    let provider = aws.credentials_provider().ok_or_else(none)?;
    match provider.provide_credentials().await {
        Ok(_) => {}
        Err(CredentialsError::CredentialsNotLoaded(_)) => return Err(none()),
        Err(error) => {
            let message = format!("The AWS credentials cannot be loaded: {}.", innermost(&error));
            return Err(CliError::failed(message).help(SIGN_IN));
        }
    }
    Ok(::aws::config(region.as_ref(), aws.endpoint_url(), provider))
}

pub(super) async fn identity(config: &SdkConfig) -> Result<(String, String)> {
    let identity = aws_sdk_sts::Client::new(config)
        .get_caller_identity()
        .send()
        .await
        .map_err(failed("sts:GetCallerIdentity"))?;
    let account = identity
        .account()
        .ok_or_else(|| CliError::failed("AWS does not say whose credentials these are."))?;
    Ok((account.to_owned(), identity.arn().unwrap_or_default().to_owned()))
}

/// The first line of what lies at the bottom of an error: what came before it says only where it passed.
fn innermost(error: &CredentialsError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = inner.to_string();
        source = inner.source();
    }
    text.lines().next().unwrap_or_default().trim_end_matches(['.', ':']).to_owned()
}
