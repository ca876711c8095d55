//! Which engine version a new database gets, and what AWS cannot do with the one that runs.

use std::cmp::Ordering;

use aws::failed;
use aws_sdk_rds::Client;
use aws_sdk_rds::types::{DbCluster, DbEngineVersion, ServerlessV2FeaturesSupport as Capacities};
use statemachine::Result;
use statemachine::config::{Database, EngineVersionError, check_engine_version};
use statemachine::permission::Permission;
use statemachine::resource::Options;

/// The engine.
pub(crate) const ENGINE: &str = "aurora-postgresql";

/// An engine version that AWS offers, with the capacities that Serverless v2 has on it.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveVersion {
    /// `15.12`.
    pub version: String,
    /// ACUs; 0 where the database can sleep.
    pub min_acu: f64,
    /// ACUs.
    pub max_acu: f64,
}

/// What the listing needs.
pub(crate) fn permissions() -> Permission {
    Permission::unscoped(&["rds:DescribeDBEngineVersions"], "the listing takes no resource")
}

/// The versions that AWS offers now: one call, whose page holds all of them.
pub(crate) async fn live(client: &Client) -> Result<Vec<LiveVersion>> {
    let pages = client.describe_db_engine_versions().engine(ENGINE).into_paginator().items().send();
    let all = pages.collect::<Result<Vec<_>, _>>().await.map_err(failed("rds:DescribeDBEngineVersions"))?;
    Ok(all.iter().filter_map(LiveVersion::read).collect())
}

impl LiveVersion {
    /// From AWS's description. One that names no capacities is taken for the first Serverless v2: 0.5 to 128.
    pub fn read(raw: &DbEngineVersion) -> Option<Self> {
        let capacities = raw.serverless_v2_features_support();
        Some(Self {
            version: raw.engine_version()?.to_owned(),
            min_acu: capacities.and_then(Capacities::min_capacity).unwrap_or(0.5),
            max_acu: capacities.and_then(Capacities::max_capacity).unwrap_or(128.0),
        })
    }
}

/// `15` of `15.12`.
pub(crate) fn major(version: &str) -> &str {
    version.split('.').next().unwrap_or(version)
}

/// Whether what runs says by itself that AWS can do what is asked: it is of that version, at that capacity. Then
/// nobody has to list versions.
pub(crate) fn runs_as_asked(database: &Database, cluster: &DbCluster) -> bool {
    let running = cluster.engine_version().unwrap_or_default();
    let asked = database.engine_version.as_str();
    let scaling = cluster.serverless_v2_scaling_configuration();
    let capacity = scaling.and_then(|scaling| scaling.min_capacity().zip(scaling.max_capacity()));
    (asked == running || asked == major(running)) && capacity == Some((database.min_acu, database.max_acu))
}

/// The version that a new cluster gets.
///
/// # Errors
///
/// A retired minor, or a major that AWS does not run; the error lists what it does.
pub fn resolve(database: &Database, live: &[LiveVersion]) -> Result<String, EngineVersionError> {
    let versions: Vec<String> = live.iter().map(|live| live.version.clone()).collect();
    check_engine_version(&database.engine_version, &versions)
}

/// Whether a database of this version can sleep while nobody is connected.
pub fn can_sleep(version: &str, live: &[LiveVersion]) -> bool {
    live.iter().any(|live| live.version == version && live.min_acu == 0.0)
}

/// Why AWS cannot bring a database that runs `running` (a whole version; `None`: there is none yet) to what the
/// file asks for. `resolved` is what a new one would get.
pub fn refusal(
    database: &Database,
    resolved: &str,
    running: Option<&str>,
    live: &[LiveVersion],
    options: &Options,
) -> Option<String> {
    let asked = database.major();
    if let Some(running) = running
        && let (Ok(from), Ok(to)) = (major(running).parse::<u32>(), asked.parse::<u32>())
    {
        match from.cmp(&to) {
            Ordering::Less if !options.allow_downtime => {
                return Some(format!(
                    "The database runs PostgreSQL {from} and the file asks for {to}. A major upgrade stops the \
                     database for some minutes: say --allow-downtime, or put engine_version = \"{from}\" back."
                ));
            }
            Ordering::Greater => {
                return Some(format!(
                    "The database runs PostgreSQL {from}, and AWS cannot take it back to {to}. Put \
                     engine_version = \"{from}\" into the file."
                ));
            }
            Ordering::Less | Ordering::Equal => {}
        }
    }
    // The minor that runs counts, as long as its major stays.
    let version = running.filter(|running| major(running) == asked).unwrap_or(resolved);
    let capacities = live.iter().find(|live| live.version == version)?;
    if database.min_acu < capacities.min_acu {
        return Some(format!(
            "PostgreSQL {version} cannot sleep: AWS runs it at {} ACU at least, and the file asks for min_acu = \
             {}. Ask for more, or for a newer engine_version.",
            capacities.min_acu, database.min_acu
        ));
    }
    (database.max_acu > capacities.max_acu).then(|| {
        format!(
            "PostgreSQL {version} runs at {} ACU at most, and the file asks for max_acu = {}.",
            capacities.max_acu, database.max_acu
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database(engine_version: &str, min_acu: f64) -> Database {
        let keys = serde_json::json!({
            "engine_version": engine_version, "min_acu": min_acu, "name": "arive", "deletion_protection": true,
        });
        serde_json::from_value(keys).expect("a database with its defaults")
    }

    fn live() -> Vec<LiveVersion> {
        [("15.5", 0.5), ("15.12", 0.0), ("16.8", 0.0)]
            .map(|(version, min_acu)| LiveVersion { version: version.to_owned(), min_acu, max_acu: 128.0 })
            .into()
    }

    #[test]
    fn a_major_upgrade_asks_for_consent_and_no_consent_takes_a_major_back() {
        let (without, allowing) =
            (Options::default(), Options { allow_downtime: true, ..Options::default() });
        let to_16 = |options| refusal(&database("16", 0.5), "16.8", Some("15.12"), &live(), options);
        assert!(to_16(&without).expect("a refusal").contains("--allow-downtime"));
        assert_eq!(to_16(&allowing), None);
        let to_15 = |options| refusal(&database("15", 0.5), "15.12", Some("16.8"), &live(), options);
        assert!(to_15(&without).expect("a refusal").contains("cannot take it back"));
        assert_eq!(to_15(&allowing), to_15(&without));
    }

    #[test]
    fn minors_do_not_count() {
        assert_eq!(refusal(&database("15", 0.5), "15.12", Some("15.5"), &live(), &Options::default()), None);
        assert_eq!(
            refusal(&database("15.5", 0.5), "15.5", Some("15.12"), &live(), &Options::default()),
            None
        );
    }

    #[test]
    fn only_some_versions_sleep_and_the_one_that_runs_decides() {
        let sleeps = |running| refusal(&database("15", 0.0), "15.12", running, &live(), &Options::default());
        assert_eq!(sleeps(None), None);
        assert!(sleeps(Some("15.5")).expect("a refusal").starts_with("PostgreSQL 15.5 cannot sleep"));
        let large = Database { max_acu: 256.0, ..database("15", 0.5) };
        assert!(
            refusal(&large, "15.12", None, &live(), &Options::default())
                .expect("a refusal")
                .contains("128 ACU at most")
        );
    }

    #[test]
    fn a_retired_minor_is_an_error_that_lists_the_live_ones() {
        assert_eq!(resolve(&database("15", 0.5), &live()).as_deref(), Ok("15.12"));
        let error = resolve(&database("15.4", 0.5), &live()).expect_err("15.4 is retired");
        assert!(error.to_string().contains("15.5, 15.12"), "{error}");
    }
}
