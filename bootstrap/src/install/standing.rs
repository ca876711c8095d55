//! Which environments still need the engine.

use std::collections::BTreeMap;

use futures_util::future::try_join;
use record::Bucket;
use statemachine::Result;
use statemachine::naming::AwsNames;
use statemachine::permission::Scope;

use super::clients::Clients;

/// The environments that still need the engine, each with the reason: a configuration or an intent in the
/// bucket, or a run that holds a lock.
pub async fn standing(clients: &Clients, scope: &Scope) -> Result<Vec<String>> {
    let bucket = Bucket { s3: clients.s3.clone(), name: scope.bucket() };
    let (environments, holders) = try_join(bucket.environments(), bucket.holders()).await?;
    let stack = |environment: &str| AwsNames::new(&scope.app, environment).stack();
    let mut standing = BTreeMap::new();
    for environment in environments {
        let reason = format!("{} stands", stack(&environment));
        standing.insert(environment, reason);
    }
    for (environment, holder) in holders {
        let reason = format!("run {} of {} is not over", holder.run, stack(&environment));
        standing.insert(environment, reason);
    }
    Ok(standing.into_values().collect())
}
