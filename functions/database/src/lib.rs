//! The database function: Aurora PostgreSQL Serverless v2 and its secrets.

pub mod cluster;
pub mod instance;
pub mod kept;
pub mod parameter_group;
pub mod secret;
pub mod snapshot;
mod status;
pub mod subnet_group;
mod tags;
pub mod url;
pub mod version;

use aws::Function;
use aws_sdk_rds::types::DbCluster;
use aws_types::SdkConfig;
use events::{EventRule, Rules};
use futures_util::future::try_join;
use statemachine::config::Database;
use statemachine::message::{Document, SnapshotChange};
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{Context, Names};
use statemachine::tick::Resources;
use statemachine::{Result, owns};

use crate::cluster::{Cluster, Pause, Rds};
use crate::instance::{Instance, Instances};
use crate::kept::{Forget, KeptCluster, KeptClusters};
use crate::parameter_group::ParameterGroup;
use crate::secret::Password;
use crate::snapshot::{Snapshot, Snapshots};
use crate::subnet_group::SubnetGroup;
use crate::tags::{KEPT, value};
use crate::url::DatabaseUrl;
use crate::version::LiveVersion;

/// The function's clients.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each client is named after its service")]
pub struct Clients {
    pub rds: aws_sdk_rds::Client,
    pub secrets: aws_sdk_secretsmanager::Client,
    pub events: aws_sdk_eventbridge::Client,
}

/// What is asked of a stack's database: by its file, and by what operations have laid over that.
struct Asked<'a> {
    database: &'a Database,
    generation: u32,
    rotation: Option<String>,
    pause: Pause,
}

/// The clusters that were looked up to find out what is asked for.
struct Seen {
    live: Option<DbCluster>,
    kept: Vec<DbCluster>,
}

/// The stage's rules: a new password by the clock, and a stopped cluster stopped again.
const RULES: &[&str] = &["rotate", "pause"];
/// Under which attribute of the cluster a run tells the version that a new one gets.
const ENGINE_VERSION: &str = "engine_version";
/// How often a stopped cluster is looked after. AWS starts it again after seven days.
const STOP_AGAIN: &str = "rate(6 hours)";

/// What a stack's database consists of, in the order in which it is made. Without a database every list is
/// empty, so that whatever is found is left over.
fn owned(
    ctx: &Context,
    document: &Document,
    asked: Option<&Asked<'_>>,
    clients: &Clients,
    cluster: &Rds,
    kept: Vec<KeptCluster>,
    seen: Option<Seen>,
) -> Resources<Clients> {
    let live = document.intent.database.generation;
    let run = &document.run;
    let group = asked.map(|asked| ParameterGroup::of(asked.database.major()));
    let wanted = asked
        .zip(group.as_ref())
        .map(|(asked, group)| Cluster::of(ctx, asked.database, group, asked.generation, asked.pause));
    let rds = || clients.rds.clone();
    let named = run.parameters.snapshot.as_deref();
    let snapshot = || named.map(|named| ctx.aws_names().db_snapshot(named));
    let taking = |identifier| Snapshot { identifier, cluster: ctx.aws_names().db_cluster(live) };
    let (snapshot, taken, forget) = match run.operation.facts().snapshots {
        SnapshotChange::Leaves => (None, None, Forget::Nothing),
        SnapshotChange::Takes => (snapshot(), snapshot().map(taking), Forget::Nothing),
        SnapshotChange::Forgets => {
            (snapshot(), None, named.map_or(Forget::Nothing, |named| Forget::One(named.to_owned())))
        }
        SnapshotChange::ForgetsAll => (None, None, Forget::All),
    };
    let instances = Instances { rds: rds(), live };
    let kept_clusters = KeptClusters { rds: rds(), live, forget };
    let (seen_live, seen_kept, seen_instances) = match seen {
        Some(seen) => {
            // An instance lies in a cluster: without one there is none.
            let nowhere = seen.live.is_none() && seen.kept.is_empty();
            let live = seen.live.into_iter().collect();
            (Some(live), Some(kept_clusters.raws(seen.kept)), nowhere.then(Vec::new))
        }
        None => (None, None, None),
    };
    Resources::new()
        .owns(&clients.rds, list(asked.map(|_| SubnetGroup::of(ctx))))
        .owns(&clients.rds, list(group))
        .owns(&clients.secrets, list(asked.map(|asked| Password::of(ctx, asked.rotation.clone()))))
        .owns_seen(&kept_clusters, kept, seen_kept)
        .owns_seen(cluster, list(wanted), seen_live)
        .owns_seen(
            &instances,
            list(asked.map(|asked| Instance::of(ctx, asked.generation, asked.pause))),
            seen_instances,
        )
        .owns(&clients.secrets, list(asked.map(|asked| DatabaseUrl::of(ctx, asked.database))))
        .owns(&Snapshots { rds: rds(), identifier: snapshot }, list(taken))
        .owns(
            &Rules::of_stack(&clients.events, ctx, RULES),
            asked.map(|asked| rules(ctx, asked)).unwrap_or_default(),
        )
}

fn rules(ctx: &Context, asked: &Asked<'_>) -> Vec<EventRule> {
    let days = asked.database.rotate_every_days.filter(|_| asked.pause == Pause::No);
    let rotate = days.map(|days| {
        let unit = if days == 1 { "day" } else { "days" };
        EventRule::scheduled(ctx, "rotate", format!("rate({days} {unit})"))
    });
    let stop = (asked.pause == Pause::Stop).then(|| EventRule::scheduled(ctx, "pause", STOP_AGAIN));
    rotate.into_iter().chain(stop).collect()
}

fn list<R>(wanted: Option<R>) -> Vec<R> {
    wanted.into_iter().collect()
}

impl Function for Clients {
    fn new(config: &SdkConfig) -> Self {
        Self {
            rds: aws_sdk_rds::Client::new(config),
            secrets: aws_sdk_secretsmanager::Client::new(config),
            events: aws_sdk_eventbridge::Client::new(config),
        }
    }

    async fn resources(&self, ctx: &Context, document: &Document, _: &Names) -> Result<Resources<Self>> {
        let database = document.stack.as_ref().and_then(|stack| stack.database.as_ref());
        if let Some(database) = database {
            return self.described(ctx, document, database).await;
        }
        let cluster = Rds::new(self, document.intent.database.generation);
        Ok(owned(ctx, document, None, self, &cluster, Vec::new(), None))
    }

    fn reads(_: &Scope) -> Vec<Permission> {
        vec![version::permissions()]
    }
}

owns!(
    Clients:
    SubnetGroup, ParameterGroup, Password, KeptCluster, Cluster, Instance, DatabaseUrl, Snapshot, EventRule,
);

/// What is known of AWS's engine versions.
#[derive(Debug, Default)]
struct Versions {
    /// What a new cluster gets.
    resolved: Option<String>,
    /// All that AWS offers, where they had to be listed.
    live: Vec<LiveVersion>,
    /// Why AWS cannot do what the file asks for.
    refusal: Option<String>,
}

impl Clients {
    /// The stage of a stack with a database. What the file asks for is checked against what AWS offers and what
    /// runs, before anything is changed.
    async fn described(
        &self,
        ctx: &Context,
        document: &Document,
        database: &Database,
    ) -> Result<Resources<Self>> {
        let intent = &document.intent.database;
        let identifier = ctx.aws_names().db_cluster(intent.generation);
        let found = cluster::find(&self.rds, &identifier);
        let kept = cluster::all(&self.rds, ctx, 1..intent.generation);
        let (found, kept) = try_join(found, kept).await?;
        let running = found.as_ref().and_then(|cluster| cluster.engine_version()).map(str::to_owned);
        let versions = self.versions(ctx, document, database, found.as_ref()).await?;
        let Versions { resolved, live, refusal } = versions;
        let refusal = match (refusal, &intent.snapshot) {
            (None, Some(asked)) if found.is_none() => self.no_snapshot(ctx, asked).await?,
            (refusal, _) => refusal,
        };
        let runs = running.as_deref().or(resolved.as_deref()).unwrap_or_default();
        let pause = match &document.intent.paused {
            None => Pause::No,
            Some(_) if version::can_sleep(runs, &live) => Pause::Sleep,
            Some(_) => Pause::Stop,
        };
        let asked = Asked {
            database,
            generation: intent.generation,
            rotation: intent.rotation.as_ref().map(|by| by.run.clone()),
            pause,
        };
        let cluster = Rds::new(self, intent.generation)
            .with_version(resolved.clone())
            .with_snapshot(intent.snapshot.as_deref().map(|asked| ctx.aws_names().db_snapshot(asked)));
        // What is not tagged yet was left by this restore, or by one that was cut off.
        let to_keep = kept.iter().filter(|raw| value(raw.tag_list(), KEPT).is_none());
        let kept_by =
            intent.restored.as_ref().map(|by| format!("{} {}", by.at.get(..10).unwrap_or(&by.at), by.run));
        let to_keep = to_keep.filter_map(|raw| {
            Some(KeptCluster { identifier: raw.db_cluster_identifier()?.to_owned(), kept: kept_by.clone() })
        });
        let forgets = document.run.operation.facts().snapshots == SnapshotChange::Forgets;
        let to_keep = to_keep.filter(|_| !forgets).collect();
        let seen = Some(Seen { live: found, kept });
        let resources = owned(ctx, document, Some(&asked), self, &cluster, to_keep, seen);
        let told = resolved.map(|resolved| (cluster::name().attribute(ENGINE_VERSION), resolved));
        let resources =
            told.into_iter().fold(resources, |resources, (name, resolved)| resources.output(name, resolved));
        Ok(match refusal {
            Some(why) => resources.refuse(cluster::name(), why),
            None => resources,
        })
    }

    /// What a look at AWS's versions says, where what runs (`found`) and this run's own look leave it open.
    async fn versions(
        &self,
        ctx: &Context,
        document: &Document,
        database: &Database,
        found: Option<&DbCluster>,
    ) -> Result<Versions> {
        if document.intent.paused.is_none() {
            if found.is_some_and(|found| version::runs_as_asked(database, found)) {
                return Ok(Versions::default());
            }
            let told = &document.stages.database.outputs;
            let told = told.attribute(&cluster::name(), ENGINE_VERSION);
            // The look has resolved and checked it, and found no cluster either.
            if let (None, Some(told)) = (found, told) {
                return Ok(Versions { resolved: Some(told.to_owned()), ..Versions::default() });
            }
        }
        let live = version::live(&self.rds).await?;
        let running = found.and_then(|cluster| cluster.engine_version());
        Ok(match version::resolve(database, &live) {
            Ok(resolved) => {
                let refusal = version::refusal(database, &resolved, running, &live, &ctx.options);
                Versions { resolved: Some(resolved), live, refusal }
            }
            Err(error) => Versions { resolved: None, live, refusal: Some(error.to_string()) },
        })
    }

    /// Why the snapshot that a new generation is to be made from cannot be used; `None` when it can.
    async fn no_snapshot(&self, ctx: &Context, asked: &str) -> Result<Option<String>> {
        let identifier = ctx.aws_names().db_snapshot(asked);
        Ok(match snapshot::find(&self.rds, &identifier).await? {
            None => Some(format!(
                "There is no snapshot {identifier}. `stepstack snapshot list` shows what there is."
            )),
            Some(found) if found.status() != Some("available") => {
                let status = found.status().unwrap_or("not available");
                Some(format!("The snapshot {identifier} is {status}. Restore it once it is available."))
            }
            Some(_) => None,
        })
    }
}
