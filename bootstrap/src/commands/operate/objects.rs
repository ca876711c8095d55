//! Uploads: an earlier version becomes the current one again.

use aws::failed;
use clap::{Args, Subcommand};
use jiff::Timestamp;
use statemachine::message::{ObjectVersion, Operation, Parameters};

use super::start::start;
use crate::cli::{Global, Start};
use crate::commands::missing::no_environment;
use crate::error::{CliError, Code, Result};
use crate::session::Session;

/// `objects`
#[derive(Debug, Args)]
pub struct Objects {
    /// What to do
    #[command(subcommand)]
    pub command: ObjectsCommand,
}

/// What can be done with uploads.
#[derive(Debug, Subcommand)]
pub enum ObjectsCommand {
    /// Bring back an earlier version
    Restore {
        /// The object's key
        key: String,
        /// As it was at this time (RFC 3339); else the version before the present one
        #[arg(long, value_name = "TIME")]
        at: Option<String>,
        /// How it starts
        #[command(flatten)]
        start: Start,
    },
}

/// A version of an object, as S3 lists it: the newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Version {
    id: String,
    etag: String,
    at: i64,
    latest: bool,
}

pub(crate) async fn objects(global: &Global, objects: &Objects) -> Result<Code> {
    let ObjectsCommand::Restore { key, at, start: how } = &objects.command;
    let session = Session::open(global).await?;
    let stack = session.accepted_stack().await?.ok_or_else(|| no_environment(&session))?;
    let Some(uploads) = stack.uploads else {
        return Err(CliError::refused("This stack has no uploads bucket."));
    };
    let at = at.as_deref().map(time).transpose()?;
    let versions = versions(&session, &uploads.bucket, key).await?;
    let found = choose(&versions, at).ok_or_else(|| {
        let message = match (versions.is_empty(), at) {
            (true, _) => format!("There is no version of {key:?} in {}.", uploads.bucket),
            (false, Some(at)) => format!("{key:?} was not there yet at {at}."),
            (false, None) => format!("{key:?} has no version before the present one."),
        };
        CliError::refused(message)
    })?;
    let object = ObjectVersion { key: key.clone(), version: found.id.clone(), etag: found.etag.clone() };
    let parameters = Parameters { object: Some(object), ..Parameters::default() };
    start(&session, Operation::RestoreObject, parameters, how).await
}

fn time(text: &str) -> Result<Timestamp> {
    text.parse().map_err(|_| {
        let error = CliError::usage(format!("{text:?} is no time."));
        error.help("Write it as 2026-11-23T10:15:00Z, or with an offset: 2026-11-23T11:15:00+01:00.")
    })
}

/// The version that was current at a time; without one, the newest that is not current now.
fn choose(versions: &[Version], at: Option<Timestamp>) -> Option<&Version> {
    match at {
        Some(at) => versions.iter().find(|version| version.at <= at.as_second()),
        None => versions.iter().find(|version| !version.latest),
    }
}

/// All versions of one object, the newest first. Keys come in their order, and the key itself is the first of
/// those that begin with it: the listing ends where the next one begins.
async fn versions(session: &Session, bucket: &str, key: &str) -> Result<Vec<Version>> {
    let one = |version: &aws_sdk_s3::types::ObjectVersion| {
        Some(Version {
            id: version.version_id()?.to_owned(),
            etag: version.e_tag()?.trim_matches('"').to_owned(),
            at: version.last_modified().map_or(0, aws_sdk_s3::primitives::DateTime::secs),
            latest: version.is_latest() == Some(true),
        })
    };
    let mut versions: Vec<Version> = Vec::new();
    let (mut from, mut from_version) = (None, None);
    loop {
        let list = session.bucket.s3.list_object_versions().bucket(bucket).prefix(key);
        let list = list.set_key_marker(from).set_version_id_marker(from_version).send().await;
        let list = list.map_err(failed("s3:ListBucketVersions"))?;
        versions.extend(list.versions().iter().filter(|one| one.key() == Some(key)).filter_map(one));
        if list.is_truncated() != Some(true) || list.next_key_marker() != Some(key) {
            break;
        }
        from = list.next_key_marker().map(str::to_owned);
        from_version = list.next_version_id_marker().map(str::to_owned);
    }
    versions.sort_by_key(|version| (std::cmp::Reverse(version.at), !version.latest));
    Ok(versions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_a_time_or_the_one_before_the_present() {
        let earlier =
            |id: &str, at: i64| Version { id: id.to_owned(), etag: String::new(), at, latest: false };
        let latest = Version { latest: true, ..earlier("c", 300) };
        let versions = [latest, earlier("b", 200), earlier("a", 100)];
        let chosen = |at: Option<i64>| {
            let at = at.map(|at| Timestamp::from_second(at).expect("a time"));
            choose(&versions, at).map(|version| version.id.as_str())
        };
        assert_eq!(chosen(None), Some("b"));
        assert_eq!(chosen(Some(250)), Some("b"));
        assert_eq!(chosen(Some(300)), Some("c"));
        assert_eq!(chosen(Some(99)), None);
        // Deleted: no version is the latest.
        assert_eq!(choose(&versions[1..], None).map(|version| version.id.as_str()), Some("b"));
    }
}
