//! Which engine version a file means, given what AWS runs today.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A version that AWS does not run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineVersionError {
    /// What the file asks for: `15.4`.
    pub asked: String,
    /// What is wrong, with the versions that are live.
    pub message: String,
    /// What to write instead.
    pub help: String,
}

impl std::error::Error for EngineVersionError {}

impl fmt::Display for EngineVersionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n  help: {}", self.message, self.help)
    }
}

/// A release of PostgreSQL: major and minor, ordered as numbers, since 15.10 is newer than 15.9.
///
/// The crate `semver` does not read these: its versions have three parts, and PostgreSQL's have two.
type Version = (u32, u32);

/// The major, and the minor where one is named: `15`, `15.4`. `None` for all that is no version of PostgreSQL.
pub(super) fn read(version: &str) -> Option<(u32, Option<u32>)> {
    let number = |part: &str| {
        let is_number = (1..=2).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| part.parse().ok()).flatten()
    };
    match version.split_once('.') {
        None => Some((number(version)?, None)),
        Some((major, minor)) => Some((number(major)?, Some(number(minor)?))),
    }
}

/// The version to create: a minor as it is, a major's newest live minor.
///
/// `live` is what DescribeDBEngineVersions lists now. Fails on a minor that is not live (a retired one such as
/// 15.4) and on a major without live minors. Special builds (`16.8-limitless`) are not counted as live.
pub fn check_engine_version(asked: &str, live: &[String]) -> Result<String, EngineVersionError> {
    let error = |message: String, help: String| EngineVersionError { asked: asked.to_owned(), message, help };
    let mut versions: Vec<Version> = live
        .iter()
        .filter_map(|version| read(version))
        .filter_map(|(major, minor)| Some((major, minor?)))
        .collect();
    versions.sort_unstable();
    versions.dedup();
    if versions.is_empty() {
        return Err(error(
            "AWS lists no live version of Aurora PostgreSQL in this region".to_owned(),
            "choose another `region`, or leave `[database]` out".to_owned(),
        ));
    }
    let Some((asked_major, asked_minor)) = read(asked) else {
        return Err(error(
            format!("engine_version `{asked}` is not a PostgreSQL version"),
            "write a major such as \"16\"; it takes its newest live minor".to_owned(),
        ));
    };
    let of_major: Vec<Version> =
        versions.iter().copied().filter(|(major, _)| *major == asked_major).collect();
    let Some(newest) = of_major.last() else {
        let mut majors: Vec<u32> = versions.iter().map(|(major, _)| *major).collect();
        majors.dedup();
        let list = majors.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
        let near = majors.iter().min_by_key(|major| major.abs_diff(asked_major)).unwrap_or(&asked_major);
        return Err(error(
            format!("Aurora PostgreSQL {asked_major} is not live in this region; live majors: {list}"),
            format!("did you mean engine_version = \"{near}\"?"),
        ));
    };
    match asked_minor {
        None => Ok(text(*newest)),
        Some(minor) if of_major.contains(&(asked_major, minor)) => Ok(text((asked_major, minor))),
        Some(minor) => {
            let list = of_major.iter().copied().map(text).collect::<Vec<_>>().join(", ");
            // The next newer one changes least for the application.
            let near = of_major.iter().find(|(_, live)| *live > minor).unwrap_or(newest);
            Err(error(
                format!(
                    "Aurora PostgreSQL {asked} is retired or was never released; live versions of {asked_major}: {list}"
                ),
                format!(
                    "did you mean \"{}\"? engine_version = \"{asked_major}\" takes the newest by itself",
                    text(*near)
                ),
            ))
        }
    }
}

fn text((major, minor): Version) -> String {
    format!("{major}.{minor}")
}
