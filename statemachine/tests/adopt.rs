//! Taking over what stands in our place: `--adopt` makes it ours once, and then it is like any other.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use serde::Serialize;
use statemachine::Result;
use statemachine::message::{Mode, StageReport, Status};
use statemachine::permission::{Permission, Scope};
use statemachine::plan::Action;
use statemachine::resource::{
    Call, Context, Gone, Identity, Made, Name, Names, Need, Options, Resource, State,
};
use statemachine::tick::{Hold, Input, Link, Resources, tick};

/// A bucket in a cloud that has one, which its maker may have tagged.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Bucket {
    versioned: bool,
}

#[derive(Clone, Debug)]
struct Kept {
    bucket: Bucket,
    tagged: bool,
    /// Tags are taken, and not kept.
    forgets_tags: bool,
    calls: Vec<&'static str>,
}

type Cloud = Arc<Mutex<Kept>>;

impl Resource for Bucket {
    type Client = Cloud;
    type Raw = Kept;
    const KIND: &'static str = "bucket";
    const ADOPTABLE: bool = true;

    fn permissions(_: &Scope) -> Vec<Permission> {
        Vec::new()
    }
    fn name(&self) -> Name {
        Name::new("bucket", "uploads")
    }
    fn needs(&self) -> Vec<Need> {
        Vec::new()
    }
    async fn fetch(_: &Context, cloud: &Cloud, _: &Names) -> Result<Vec<Kept>> {
        Ok(vec![cloud.lock().expect("one thread").clone()])
    }
    fn identify(_: &Context, kept: &Kept, _: &Names) -> Option<Identity> {
        let name = Name::new("bucket", "uploads");
        Some(if kept.tagged { Identity::ours(name, "id") } else { Identity::theirs(name, "id") })
    }
    fn read(kept: Kept, _: &Names) -> Result<State<Self>> {
        Ok(State::Settled(kept.bucket))
    }
    async fn create(self, _: Call<Cloud>) -> Result<Made> {
        unreachable!("it is there")
    }
    async fn adopt(&self, _: String, Call { client: cloud, .. }: Call<Cloud>) -> Result<()> {
        let mut kept = cloud.lock().expect("one thread");
        kept.calls.push("tag");
        kept.tagged = !kept.forgets_tags;
        Ok(())
    }
    async fn update(self, _: Self, id: String, Call { client: cloud, .. }: Call<Cloud>) -> Result<Made> {
        let mut kept = cloud.lock().expect("one thread");
        assert!(kept.tagged || kept.forgets_tags, "a change of what is not ours yet");
        kept.calls.push("change");
        kept.bucket = self;
        Ok(Made::settled(id))
    }
    async fn delete(_: String, _: Option<Self>, _: Call<Cloud>) -> Result<Gone> {
        Ok(Gone::Now)
    }
}

struct Held;

impl Link for Held {
    fn hold(&self) -> BoxFuture<'_, Result<Hold>> {
        Box::pin(async { Ok(Hold::Yes) })
    }
    fn notes(&self) -> BoxFuture<'_, Result<BTreeMap<Name, u64>>> {
        unreachable!("nothing is created")
    }
    fn note(&self, _: BTreeMap<Name, u64>) -> BoxFuture<'_, Result<()>> {
        unreachable!("nothing is created")
    }
}

/// What nobody describes is left over.
const NOTHING: Option<Bucket> = None;
const AS_DESCRIBED: Bucket = Bucket { versioned: true };
const OTHERWISE: Bucket = Bucket { versioned: false };

fn cloud(bucket: Bucket) -> Cloud {
    Arc::new(Mutex::new(Kept { bucket, tagged: false, forgets_tags: false, calls: Vec::new() }))
}

fn adopting() -> Options {
    Options { adopt: true, ..Options::default() }
}

async fn run(cloud: &Cloud, wanted: Option<Bucket>, mode: Mode, options: Options) -> StageReport {
    let ctx = Context { options, ..Context::example(statemachine::Stage::Foundation) };
    let resources: Resources = Resources::new().owns(cloud, wanted.into_iter().collect());
    tick(resources, &ctx, mode, Input::default(), &Held).await.expect("a report")
}

fn calls(cloud: &Cloud) -> Vec<&'static str> {
    cloud.lock().expect("one thread").calls.clone()
}

#[tokio::test]
async fn what_is_taken_over_is_tagged_first_and_ours_from_then_on() {
    for (bucket, expected) in [(AS_DESCRIBED, vec!["tag"]), (OTHERWISE, vec!["tag", "change"])] {
        let cloud = cloud(bucket);
        let refused = run(&cloud, Some(AS_DESCRIBED), Mode::Plan, Options::default()).await;
        assert_eq!(refused.items[0].action, Action::Refuse);
        assert_eq!(run(&cloud, NOTHING, Mode::Plan, adopting()).await.items.len(), 0, "nobody asks for it");

        let plan = run(&cloud, Some(AS_DESCRIBED), Mode::Plan, adopting()).await;
        assert_eq!(plan.items[0].action, Action::Update);
        assert_eq!(plan.items[0].changes[0].field, "owner");
        assert_eq!(plan.items[0].changes.len(), expected.len());
        assert_eq!(calls(&cloud), Vec::<&str>::new());

        let made = run(&cloud, Some(AS_DESCRIBED), Mode::Make, adopting()).await;
        assert_eq!((made.status, calls(&cloud)), (Status::Ready, expected));
        for options in [Options::default(), adopting()] {
            assert_eq!(
                run(&cloud, Some(AS_DESCRIBED), Mode::Plan, options).await.items[0].action,
                Action::Keep
            );
        }
        assert_eq!(
            run(&cloud, NOTHING, Mode::Plan, Options::default()).await.items[0].action,
            Action::Delete
        );
    }
}

/// A change that AWS does not keep is a failure, never a second try.
#[tokio::test]
async fn tags_that_do_not_stay_are_a_failure() {
    let cloud = cloud(AS_DESCRIBED);
    cloud.lock().expect("one thread").forgets_tags = true;
    let made = run(&cloud, Some(AS_DESCRIBED), Mode::Make, adopting()).await;
    assert_eq!((made.status, calls(&cloud)), (Status::Failed, vec!["tag"]));
    let why = made.failure.expect("a failure").message;
    assert!(why.contains("AWS did not keep it: owner is"), "{why}");
}
