//! A change that gives a resource another attribute (a secret its next version) is followed by what names it,
//! in the same run.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use serde::Serialize;
use statemachine::Result;
use statemachine::message::{Mode, StageReport, Status};
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{Call, Context, Gone, Identity, Made, Name, Names, Need, Resource, State};
use statemachine::tick::{Hold, Input, Link, Resources, tick};

/// The secret's version, and the version that the cluster was given.
type Cloud = Arc<Mutex<(u32, u32)>>;

/// Has versions; each rotation makes the next.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Secret {
    rotation: u32,
}

fn secret() -> Name {
    Name::new("secret", "one")
}

impl Resource for Secret {
    type Client = Cloud;
    type Raw = u32;
    const KIND: &'static str = "secret";

    fn permissions(_: &Scope) -> Vec<Permission> {
        Vec::new()
    }
    fn name(&self) -> Name {
        secret()
    }
    fn needs(&self) -> Vec<Need> {
        Vec::new()
    }
    async fn fetch(_: &Context, cloud: &Cloud, _: &Names) -> Result<Vec<u32>> {
        Ok(vec![cloud.lock().expect("one thread").0])
    }
    fn identify(_: &Context, version: &u32, _: &Names) -> Option<Identity> {
        Some(Identity::ours(secret(), "secret-1").with("version", version.to_string()))
    }
    fn read(version: u32, _: &Names) -> Result<State<Self>> {
        Ok(State::Settled(Self { rotation: version }))
    }
    async fn create(self, _: Call<Cloud>) -> Result<Made> {
        unreachable!("it is there")
    }
    async fn update(self, _: Self, id: String, Call { client: cloud, .. }: Call<Cloud>) -> Result<Made> {
        cloud.lock().expect("one thread").0 = self.rotation;
        Ok(Made::settled(id).with("version", self.rotation.to_string()))
    }
    async fn delete(_: String, _: Option<Self>, _: Call<Cloud>) -> Result<Gone> {
        unreachable!("it stays")
    }
}

/// Was given a version of the secret.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Cluster {
    password: Name,
}

impl Resource for Cluster {
    type Client = Cloud;
    type Raw = u32;
    const KIND: &'static str = "cluster";

    fn permissions(_: &Scope) -> Vec<Permission> {
        Vec::new()
    }
    fn name(&self) -> Name {
        Name::new("cluster", "one")
    }
    fn needs(&self) -> Vec<Need> {
        vec![Need::Settled(secret())]
    }
    async fn fetch(_: &Context, cloud: &Cloud, _: &Names) -> Result<Vec<u32>> {
        Ok(vec![cloud.lock().expect("one thread").1])
    }
    fn identify(_: &Context, _: &u32, _: &Names) -> Option<Identity> {
        Some(Identity::ours(Name::new("cluster", "one"), "cluster-1"))
    }
    fn read(given: u32, names: &Names) -> Result<State<Self>> {
        let current = names.attribute(&secret(), "version") == Some(given.to_string().as_str());
        Ok(State::Settled(Self {
            password: if current { secret() } else { Name::foreign(&given.to_string()) },
        }))
    }
    async fn create(self, _: Call<Cloud>) -> Result<Made> {
        unreachable!("it is there")
    }
    async fn update(
        self,
        _: Self,
        id: String,
        Call { client: cloud, names, .. }: Call<Cloud>,
    ) -> Result<Made> {
        let version = names.need_attribute(&secret(), "version")?;
        cloud.lock().expect("one thread").1 = version.parse().expect("a number");
        Ok(Made::settled(id))
    }
    async fn delete(_: String, _: Option<Self>, _: Call<Cloud>) -> Result<Gone> {
        unreachable!("it stays")
    }
}

struct Free;

impl Link for Free {
    fn hold(&self) -> BoxFuture<'_, Result<Hold>> {
        Box::pin(async { Ok(Hold::Yes) })
    }
    fn notes(&self) -> BoxFuture<'_, Result<BTreeMap<Name, u64>>> {
        Box::pin(async { Ok(BTreeMap::new()) })
    }
    fn note(&self, _: BTreeMap<Name, u64>) -> BoxFuture<'_, Result<()>> {
        Box::pin(async { Ok(()) })
    }
}

async fn make(cloud: &Cloud, rotation: u32, earlier: Option<&StageReport>) -> StageReport {
    let resources: Resources = Resources::new()
        .owns(cloud, vec![Secret { rotation }])
        .owns(cloud, vec![Cluster { password: secret() }]);
    let input = Input {
        changed: earlier.map(|report| report.changed.clone()).unwrap_or_default(),
        ..Input::default()
    };
    tick(resources, &Context::example(statemachine::Stage::Database), Mode::Make, input, &Free)
        .await
        .expect("a tick")
}

#[tokio::test]
async fn a_rotation_is_not_ready_before_everything_that_uses_the_secret_has_followed() {
    let cloud: Cloud = Arc::new(Mutex::new((1, 1)));
    let first = make(&cloud, 2, None).await;
    assert_eq!(
        (first.status, first.retry_after_s),
        (Status::NotReady, 0),
        "the cluster has the old one still"
    );
    let second = make(&cloud, 2, Some(&first)).await;
    assert_eq!(second.status, Status::Ready);
    assert_eq!(*cloud.lock().expect("one thread"), (2, 2));
    let third = make(&cloud, 2, Some(&second)).await;
    assert_eq!(third.status, Status::Ready, "and nothing is left to do: {third:?}");
}
