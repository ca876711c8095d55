//! The truth table of `decide`: every combination of what is wanted and what is found, each row with its
//! reason.

use serde::Serialize;
use statemachine::Result;
use statemachine::permission::{Permission, Scope};
use statemachine::plan::{CreateCall, Step, decide};
use statemachine::resource::{
    Call, Context, Data, DataPolicy, Found, Gone, Identity, Made, Name, Names, Need, Options, Owner,
    Resource, State,
};

/// A thing whose size can change and whose shape cannot.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Thing {
    size: u32,
    shape: &'static str,
}

macro_rules! thing {
    ($kind:ty, $($constant:item)*) => {
        impl Resource for $kind {
            type Client = ();
            type Raw = ();
            const KIND: &'static str = "thing";
            $($constant)*
            fn permissions(_: &Scope) -> Vec<Permission> { Vec::new() }
            fn name(&self) -> Name { Name::new("thing", "one") }
            fn needs(&self) -> Vec<Need> { Vec::new() }
            async fn fetch(_: &Context, _: &(), _: &Names) -> Result<Vec<()>> { Ok(Vec::new()) }
            fn identify(_: &Context, _: &(), _: &Names) -> Option<Identity> { None }
            fn read(_: (), _: &Names) -> Result<State<Self>> { Ok(State::Deleting) }
            fn immutable(&self, now: &Self) -> Option<String> {
                (self.shape != now.shape).then(|| "the shape cannot change".to_owned())
            }
            async fn create(self, _: Call<()>) -> Result<Made> { Ok(Made::settled("id")) }
            async fn update(self, _: Self, id: String, _: Call<()>) -> Result<Made> { Ok(Made::settled(id)) }
            async fn delete(_: String, _: Option<Self>, _: Call<()>) -> Result<Gone> { Ok(Gone::Now) }
        }
    };
}
thing! { Thing, const ADOPTABLE: bool = true; }

/// The same, but a change may be sent while the last one is under way, and a stranger's is used.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Shared {
    size: u32,
    shape: &'static str,
}
thing! { Shared, const INTERRUPTIBLE: bool = true; const USES_THEIRS: bool = true; }

/// The same, but it can never be taken over.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Single {
    size: u32,
    shape: &'static str,
}
thing! { Single, }

fn thing(size: u32) -> Thing {
    Thing { size, shape: "round" }
}

fn found<R>(owner: Owner, data: Data, state: State<R>) -> Found<R> {
    let identity = Identity { owner, data, ..Identity::ours(Name::new("thing", "one"), "id-1") };
    Found { identity, state }
}

fn ours<R>(state: State<R>) -> Found<R> {
    found(Owner::Ours, Data::None, state)
}

fn holding(data: Data) -> Found<Thing> {
    found(Owner::Ours, data, State::Settled(thing(1)))
}

fn with(data: DataPolicy) -> Options {
    Options { data, ..Options::default() }
}

#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "a row of the table reads best as values")]
fn row(want: Option<Thing>, found: Option<Found<Thing>>, expected: Step) {
    assert_eq!(decide(want.as_ref(), found.as_ref(), CreateCall::NotSent, &Options::default()), expected);
}

fn is_refusal(step: &Step, says: &str) -> bool {
    matches!(step, Step::Refuse(reason) if reason.contains(says))
}

#[test]
fn nothing_wanted_and_nothing_there_is_left_alone() {
    row(None, None, Step::Keep);
}

#[test]
fn what_is_missing_is_created_but_never_twice() {
    row(Some(thing(1)), None, Step::Create);
    assert_eq!(
        decide(Some(&thing(1)), None, CreateCall::Sent, &Options::default()),
        Step::Wait,
        "made, and not visible yet"
    );
}

#[test]
fn what_is_as_described_is_kept_and_what_differs_is_changed() {
    row(Some(thing(1)), Some(ours(State::Settled(thing(1)))), Step::Keep);
    row(Some(thing(2)), Some(ours(State::Settled(thing(1)))), Step::Update);
}

#[test]
fn what_aws_cannot_change_is_refused() {
    let square = Thing { size: 1, shape: "square" };
    let step = decide(
        Some(&square),
        Some(&ours(State::Settled(thing(1)))),
        CreateCall::NotSent,
        &Options::default(),
    );
    assert!(is_refusal(&step, "shape"), "{step:?}");
}

#[test]
fn what_is_changing_is_waited_for() {
    row(Some(thing(1)), Some(ours(State::Changing(None))), Step::Wait);
    row(Some(thing(2)), Some(ours(State::Changing(Some(thing(1))))), Step::Wait);
    row(Some(thing(1)), Some(ours(State::Deleting)), Step::Wait);
}

#[test]
fn an_interruptible_one_is_changed_while_it_changes_but_only_if_it_differs() {
    let shared = |size| Shared { size, shape: "round" };
    let decide = |want: Shared, found: Found<Shared>| {
        decide(Some(&want), Some(&found), CreateCall::NotSent, &Options::default())
    };
    assert_eq!(decide(shared(2), ours(State::Changing(Some(shared(1))))), Step::Update);
    assert_eq!(decide(shared(1), ours(State::Changing(Some(shared(1))))), Step::Wait);
    assert_eq!(decide(shared(1), ours(State::Changing(None))), Step::Wait);
}

#[test]
fn a_failed_one_is_made_again_unless_it_holds_data() {
    row(Some(thing(1)), Some(ours(State::Failed("no capacity".to_owned()))), Step::Remake);
    for data in [Data::Snapshot, Data::Held] {
        let failed = found(Owner::Ours, data, State::Failed("storage lost".to_owned()));
        let step = decide(Some(&thing(1)), Some(&failed), CreateCall::NotSent, &Options::default());
        assert!(is_refusal(&step, "storage lost"), "{step:?}");
    }
}

#[test]
fn a_strangers_is_refused_unless_adopted_or_meant_to_be_used() {
    let theirs = found(Owner::Theirs, Data::None, State::Settled(thing(2)));
    let step = decide(Some(&thing(1)), Some(&theirs), CreateCall::NotSent, &Options::default());
    assert!(is_refusal(&step, "--adopt"), "{step:?}");
    let adopt = Options { adopt: true, ..Options::default() };
    assert_eq!(decide(Some(&thing(1)), Some(&theirs), CreateCall::NotSent, &adopt), Step::Update);
    assert_eq!(
        decide(Some(&thing(2)), Some(&theirs), CreateCall::NotSent, &adopt),
        Step::Update,
        "as described, not ours"
    );
    let changing = found(Owner::Theirs, Data::None, State::Changing(Some(thing(1))));
    assert_eq!(decide(Some(&thing(1)), Some(&changing), CreateCall::NotSent, &adopt), Step::Wait);
    let other = found(Owner::Theirs, Data::None, State::Settled(Thing { size: 1, shape: "square" }));
    assert!(is_refusal(
        &decide(Some(&thing(1)), Some(&other), CreateCall::NotSent, &adopt),
        "the shape cannot change"
    ));

    // Most kinds cannot be taken over at all.
    let single = || Single { size: 1, shape: "round" };
    let theirs = found(Owner::Theirs, Data::None, State::Settled(single()));
    let step = decide(Some(&single()), Some(&theirs), CreateCall::NotSent, &adopt);
    assert!(is_refusal(&step, "Rename one of them, or delete it."), "{step:?}");

    let shared = |size| Shared { size, shape: "round" };
    let theirs = found(Owner::Theirs, Data::None, State::Settled(shared(2)));
    assert_eq!(
        decide(Some(&shared(1)), Some(&theirs), CreateCall::NotSent, &Options::default()),
        Step::Keep,
        "used as it is"
    );
}

#[test]
fn what_is_kept_from_an_earlier_life_is_never_touched() {
    let kept = found(Owner::Kept, Data::Snapshot, State::Settled(thing(1)));
    for policy in [DataPolicy::Refuse, DataPolicy::Snapshot, DataPolicy::Keep, DataPolicy::Delete] {
        assert_eq!(decide(None, Some(&kept), CreateCall::NotSent, &with(policy)), Step::Keep);
    }
    let step = decide(Some(&thing(1)), Some(&kept), CreateCall::NotSent, &Options::default());
    assert!(is_refusal(&step, "forget"), "{step:?}");
}

#[test]
fn a_left_over_goes_in_whatever_state_it_is() {
    row(None, Some(ours(State::Settled(thing(1)))), Step::Delete);
    row(None, Some(ours(State::Changing(None))), Step::Delete);
    row(None, Some(ours(State::Failed("no capacity".to_owned()))), Step::Delete);
    row(None, Some(ours(State::Deleting)), Step::Wait);
}

#[test]
fn a_strangers_that_nobody_wants_is_left_alone() {
    row(None, Some(found(Owner::Theirs, Data::None, State::Settled(thing(1)))), Step::Keep);
}

#[test]
fn data_leaves_only_with_consent() {
    let step = |data, policy| decide(None, Some(&holding(data)), CreateCall::NotSent, &with(policy));
    assert!(is_refusal(&step(Data::Snapshot, DataPolicy::Refuse), "--delete-data"));
    assert_eq!(step(Data::Snapshot, DataPolicy::Snapshot), Step::Delete, "a destroy takes a final snapshot");
    assert_eq!(step(Data::Snapshot, DataPolicy::Keep), Step::Delete, "its final snapshot is what is kept");
    assert_eq!(step(Data::Snapshot, DataPolicy::Delete), Step::Delete);
    assert!(is_refusal(&step(Data::Held, DataPolicy::Refuse), "--keep-data"));
    assert!(is_refusal(&step(Data::Held, DataPolicy::Snapshot), "--keep-data"));
    assert_eq!(step(Data::Held, DataPolicy::Keep), Step::Keep);
    assert_eq!(step(Data::Held, DataPolicy::Delete), Step::Delete);
}
