//! The first tick that may write goes on from what the run's look has just not found, from the notes written for
//! it, and from the lock as it was just taken.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use serde::Serialize;
use statemachine::message::{Mode, StageReport, Status};
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{Call, Context, Gone, Identity, Made, Name, Names, Need, Resource, State};
use statemachine::tick::{Hold, Input, Link, Resources, now_ms, tick};
use statemachine::{Error, ErrorKind, Result};

/// What the cloud holds, by kind, and how often it was asked.
#[derive(Debug, Default)]
struct World {
    things: Vec<Name>,
    fetches: BTreeMap<&'static str, u32>,
}

type Cloud = Arc<Mutex<World>>;

macro_rules! kind {
    ($kind:ident, $tag:literal, $what:literal, $($constant:item)*) => {
        #[derive(Clone, Debug, PartialEq, Serialize)]
        struct $kind(Option<Name>);

        impl Resource for $kind {
            type Client = Cloud;
            type Raw = Name;
            const KIND: &'static str = $tag;
            $($constant)*

            fn permissions(_: &Scope) -> Vec<Permission> { Vec::new() }
            fn name(&self) -> Name { Name::new($tag, $what) }
            fn needs(&self) -> Vec<Need> { self.0.iter().cloned().map(Need::Settled).collect() }
            async fn fetch(_: &Context, cloud: &Cloud, _: &Names) -> Result<Vec<Name>> {
                let mut world = cloud.lock().expect("one thread");
                *world.fetches.entry($tag).or_default() += 1;
                Ok(world.things.iter().filter(|name| name.kind() == $tag).cloned().collect())
            }
            fn identify(_: &Context, raw: &Name, _: &Names) -> Option<Identity> {
                // What nobody asks for stands for the account's own, such as its default VPC.
                (raw.what() == $what).then(|| Identity::ours(raw.clone(), raw.as_str()))
            }
            fn read(_: Name, _: &Names) -> Result<State<Self>> { Ok(State::Settled(Self(None))) }
            async fn create(self, Call { client: cloud, .. }: Call<Cloud>) -> Result<Made> {
                cloud.lock().expect("one thread").things.push(self.name());
                Ok(Made::settled(self.name().as_str()))
            }
            async fn update(self, _: Self, id: String, _: Call<Cloud>) -> Result<Made> { Ok(Made::settled(id)) }
            async fn delete(_: String, _: Option<Self>, _: Call<Cloud>) -> Result<Gone> { Ok(Gone::Now) }
        }
    };
}
kind!(Early, "early", "one", const TOKENLESS: bool = true;);
kind!(Late, "late", "one", const LATE: bool = true;);
kind!(Kept, "early", "kept",);

/// A run's record: notes, what a write of them leads to, and how often the lock was asked for.
#[derive(Debug, Default)]
struct Record {
    notes: Mutex<BTreeMap<Name, u64>>,
    refuses: Option<ErrorKind>,
    holds: Mutex<u32>,
    notings: Mutex<u32>,
}

impl Link for Record {
    fn hold(&self) -> BoxFuture<'_, Result<Hold>> {
        *self.holds.lock().expect("one thread") += 1;
        Box::pin(async { Ok(Hold::Yes) })
    }
    fn notes(&self) -> BoxFuture<'_, Result<BTreeMap<Name, u64>>> {
        Box::pin(async { Ok(self.notes.lock().expect("one thread").clone()) })
    }
    fn note(&self, notes: BTreeMap<Name, u64>) -> BoxFuture<'_, Result<()>> {
        *self.notings.lock().expect("one thread") += 1;
        let written = if let Some(kind) = self.refuses {
            Err(Error::new(kind, "somebody else was faster"))
        } else {
            *self.notes.lock().expect("one thread") = notes;
            Ok(())
        };
        Box::pin(async move { written })
    }
}

fn resources(cloud: &Cloud) -> Resources {
    let early = Name::new("early", "one");
    Resources::new().owns(cloud, vec![Early(None)]).owns(cloud, vec![Late(Some(early))])
}

async fn run(cloud: &Cloud, mode: Mode, input: Input, record: &Record) -> StageReport {
    tick(resources(cloud), &Context::example(statemachine::Part::Engine), mode, input, record)
        .await
        .expect("the look")
}

fn fetches(cloud: &Cloud) -> BTreeMap<&'static str, u32> {
    cloud.lock().expect("one thread").fetches.clone()
}

#[tokio::test]
async fn a_look_says_which_kinds_are_absent_and_the_next_tick_does_not_ask_for_them() {
    let cloud = Cloud::default();
    cloud.lock().expect("one thread").things.push(Name::new("early", "default"));
    let look = run(&cloud, Mode::Plan, Input::default(), &Record::default()).await;
    assert_eq!(look.absent, BTreeSet::from(["early".to_owned(), "late".to_owned()]));

    let input = Input { absent: look.absent, ..Input::default() };
    let made = run(&cloud, Mode::Make, input, &Record::default()).await;
    assert_eq!(made.status, Status::Ready);
    assert_eq!(fetches(&cloud), BTreeMap::from([("early", 1), ("late", 1)]), "by the look alone");
    assert!(made.absent.is_empty(), "only a look says it");
    assert_eq!(cloud.lock().expect("one thread").things.len(), 3);
}

#[tokio::test]
async fn what_is_there_is_not_absent() {
    let cloud = Cloud::default();
    cloud.lock().expect("one thread").things.push(Name::new("early", "one"));
    let look = run(&cloud, Mode::Plan, Input::default(), &Record::default()).await;
    assert_eq!(look.absent, BTreeSet::from(["late".to_owned()]));
}

#[tokio::test]
async fn of_two_kinds_of_one_name_both_have_to_be_absent() {
    let cloud = Cloud::default();
    cloud.lock().expect("one thread").things.push(Name::new("early", "one"));
    let resources = resources(&cloud).owns::<Kept>(&cloud, vec![]);
    let ctx = Context::example(statemachine::Part::Engine);
    let look =
        tick(resources, &ctx, Mode::Plan, Input::default(), &Record::default()).await.expect("the look");
    assert_eq!(look.absent, BTreeSet::from(["late".to_owned()]));
}

#[tokio::test]
async fn a_create_that_is_noted_already_is_sent_without_another_note() {
    let cloud = Cloud::default();
    let name = Name::new("early", "one");
    let record = Record::default();
    record.notes.lock().expect("one thread").insert(name.clone(), now_ms());
    let input = Input { noted: BTreeSet::from([name]), ..Input::default() };
    let made = run(&cloud, Mode::Make, input, &record).await;
    assert_eq!(made.status, Status::Ready);
    assert_eq!(*record.notings.lock().expect("one thread"), 0);

    // The same note by somebody else: it is only looked for.
    let made = run(&Cloud::default(), Mode::Make, Input::default(), &record).await;
    assert_eq!(made.status, Status::NotReady);
    assert_eq!(made.made, BTreeSet::new());
}

#[tokio::test]
async fn of_two_calls_that_note_at_once_only_one_creates() {
    let cloud = Cloud::default();
    let slower = Record { refuses: Some(ErrorKind::NotReady), ..Record::default() };
    let report = run(&cloud, Mode::Make, Input::default(), &slower).await;
    assert_eq!((report.status, report.failure), (Status::NotReady, None));
    assert_eq!(cloud.lock().expect("one thread").things, vec![]);

    let broken = Record { refuses: Some(ErrorKind::Denied), ..Record::default() };
    let ticked = tick(
        resources(&cloud),
        &Context::example(statemachine::Part::Engine),
        Mode::Make,
        Input::default(),
        &broken,
    )
    .await;
    assert_eq!(ticked.map_err(|error| error.kind).err(), Some(ErrorKind::Denied));
}

#[tokio::test]
async fn the_lock_is_not_asked_for_while_it_was_just_taken() {
    let just_taken = Input { held_ms: Some(now_ms()), ..Input::default() };
    let long_ago = Input { held_ms: Some(now_ms() - 3_000), ..Input::default() };
    for (input, asked) in [(just_taken, 0), (long_ago, 1), (Input::default(), 1)] {
        let record = Record::default();
        run(&Cloud::default(), Mode::Make, input, &record).await;
        assert_eq!(*record.holds.lock().expect("one thread"), asked);
    }
}
