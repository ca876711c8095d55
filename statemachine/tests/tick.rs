//! Ticks over an in-memory cloud whose things take time to come and go, refuse deletes in use, and can be
//! slow to show up. Time there is counted in fetches, so no test waits for a clock.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use futures_util::future::BoxFuture;
use serde::Serialize;
use statemachine::message::{Mode, StageReport, Status};
use statemachine::permission::{Permission, Scope};
use statemachine::plan::{Action, Progress};
use statemachine::resource::{Call, Context, Gone, Identity, Made, Name, Names, Need, Resource, State};
use statemachine::tick::{Hold, Input, Link, Resources, now_ms, tick};
use statemachine::{Error, ErrorKind, Result};

/// What the cloud knows of a thing.
#[derive(Clone, Debug)]
struct Record {
    name: String,
    size: u32,
    uses: Option<String>,
    /// Fetches until it has settled.
    settles_in: u32,
    /// Fetches until it shows up.
    hidden_for: u32,
    /// Fetches until it is gone, once its deletion was asked for.
    gone_in: Option<u32>,
    failed: bool,
}

#[derive(Debug, Default)]
struct World {
    things: BTreeMap<String, Record>,
    creates: Vec<String>,
    deletes: Vec<String>,
    fetches: u32,
    next_id: u32,
    slow_to_settle: u32,
    slow_to_show: u32,
    slow_to_go: u32,
    /// The next create of this name fails so.
    broken: Option<(String, ErrorKind)>,
    /// Updates are answered well, and not kept.
    forgets_updates: bool,
    /// The next create is carried out, and its answer lost.
    loses_answer: bool,
}

type Cloud = Arc<Mutex<World>>;

macro_rules! kind {
    ($kind:ident, $tag:literal, $($constant:item)*) => {
        #[derive(Clone, Debug, PartialEq, Serialize)]
        struct $kind {
            what: String,
            size: u32,
            uses: Option<Name>,
        }

        impl Resource for $kind {
            type Client = Cloud;
            type Raw = (String, Record);
            const KIND: &'static str = $tag;
            $($constant)*

            fn permissions(_: &Scope) -> Vec<Permission> { Vec::new() }
            fn name(&self) -> Name { Name::new($tag, &self.what) }
            fn needs(&self) -> Vec<Need> {
                self.uses.iter().map(|name| if self.size == 0 { Need::Exists(name.clone()) } else { Need::Settled(name.clone()) }).collect()
            }
            async fn fetch(_: &Context, cloud: &Cloud, _: &Names) -> Result<Vec<Self::Raw>> { Ok(fetch(cloud, $tag)) }
            fn identify(_: &Context, (id, record): &Self::Raw, _: &Names) -> Option<Identity> {
                Some(Identity { created: id.rsplit('-').next().and_then(|number| number.parse().ok()), ..Identity::ours(Name::from_tag(&record.name), id) })
            }
            fn read((_, record): Self::Raw, names: &Names) -> Result<State<Self>> {
                if record.gone_in.is_some() {
                    return Ok(State::Deleting);
                }
                if record.failed {
                    return Ok(State::Failed("broken".to_owned()));
                }
                let uses = record.uses.as_deref().map(|id| names.name_of(id));
                let found = Self { what: Name::from_tag(&record.name).what().to_owned(), size: record.size, uses };
                Ok(if record.settles_in > 0 { State::Changing(Some(found)) } else { State::Settled(found) })
            }
            async fn create(self, Call { client: cloud, names, .. }: Call<Cloud>) -> Result<Made> {
                let uses = self.uses.as_ref().map(|name| names.need(name)).transpose()?;
                create(&cloud, &self.name(), self.size, uses)
            }
            async fn update(self, _: Self, id: String, Call { client: cloud, names, .. }: Call<Cloud>) -> Result<Made> {
                let uses = self.uses.as_ref().map(|name| names.need(name)).transpose()?;
                let mut world = cloud.lock().expect("one thread");
                if !world.forgets_updates {
                    let record = world.things.get_mut(&id).expect("it was found");
                    record.size = self.size;
                    record.uses = uses;
                }
                Ok(Made::started(id))
            }
            async fn delete(id: String, _: Option<Self>, Call { client: cloud, .. }: Call<Cloud>) -> Result<Gone> { delete(&cloud, &id) }
        }
    };
}
kind!(Base, "base", const TOKENLESS: bool = true;);
kind!(Part, "part",);
kind!(Top, "top", const LINGERS: bool = true;);

fn fetch(cloud: &Cloud, kind: &str) -> Vec<(String, Record)> {
    let mut world = cloud.lock().expect("one thread");
    world.fetches += 1;
    let is_kind = |record: &Record| record.name.starts_with(kind);
    for record in world.things.values_mut().filter(|record| is_kind(record)) {
        record.settles_in = record.settles_in.saturating_sub(1);
        record.hidden_for = record.hidden_for.saturating_sub(1);
        record.gone_in = record.gone_in.map(|left| left.saturating_sub(1));
    }
    world.things.retain(|_, record| record.gone_in != Some(0));
    let shown = world.things.iter().filter(|(_, record)| is_kind(record) && record.hidden_for == 0);
    shown.map(|(id, record)| (id.clone(), record.clone())).collect()
}

fn create(cloud: &Cloud, name: &Name, size: u32, uses: Option<String>) -> Result<Made> {
    let mut world = cloud.lock().expect("one thread");
    if let Some((_, kind)) = world.broken.take_if(|(broken, _)| broken == name.as_str()) {
        return Err(Error::new(kind, format!("{name} is broken")));
    }
    world.next_id += 1;
    let id = format!("id-{}", world.next_id);
    world.creates.push(name.to_string());
    let record = Record {
        name: name.to_string(),
        size,
        uses,
        settles_in: world.slow_to_settle,
        hidden_for: world.slow_to_show,
        gone_in: None,
        failed: false,
    };
    world.things.insert(id.clone(), record);
    if std::mem::take(&mut world.loses_answer) {
        return Err(Error::new(ErrorKind::Transient, "the answer was lost"));
    }
    Ok(Made::started(id))
}

fn delete(cloud: &Cloud, id: &str) -> Result<Gone> {
    let mut world = cloud.lock().expect("one thread");
    let in_use =
        world.things.values().any(|record| record.uses.as_deref() == Some(id) && record.gone_in.is_none());
    if in_use {
        return Err(Error::not_ready(format!("{id} is in use")));
    }
    let slow = world.slow_to_go;
    let name = world.things.get(id).map(|record| record.name.clone()).unwrap_or_default();
    world.deletes.push(name);
    if slow == 0 {
        world.things.remove(id);
        return Ok(Gone::Now);
    }
    world.things.get_mut(id).expect("it was found").gone_in = Some(slow);
    Ok(Gone::Going)
}

/// The run's record, in memory.
#[derive(Debug, Default)]
struct Memory {
    notes: Mutex<BTreeMap<Name, u64>>,
    stop: Mutex<Option<String>>,
}

impl Link for Memory {
    fn hold(&self) -> BoxFuture<'_, Result<Hold>> {
        let stop = self.stop.lock().expect("one thread").clone();
        Box::pin(async move { Ok(stop.map_or(Hold::Yes, Hold::Stop)) })
    }
    fn notes(&self) -> BoxFuture<'_, Result<BTreeMap<Name, u64>>> {
        Box::pin(async move { Ok(self.notes.lock().expect("one thread").clone()) })
    }
    fn note(&self, notes: BTreeMap<Name, u64>) -> BoxFuture<'_, Result<()>> {
        *self.notes.lock().expect("one thread") = notes;
        Box::pin(async { Ok(()) })
    }
}

/// What is wanted: a base, parts that use it, and a top that uses the first part.
#[derive(Clone, Default)]
struct Wanted {
    base: bool,
    parts: Vec<(&'static str, u32)>,
    top: bool,
}

fn all() -> Wanted {
    Wanted { base: true, parts: vec![("a", 1), ("b", 2)], top: true }
}

fn resources(cloud: &Cloud, wanted: &Wanted) -> Resources {
    let base = Name::new("base", "one");
    let bases = wanted.base.then(|| Base { what: "one".to_owned(), size: 1, uses: None });
    let parts = wanted.parts.iter().map(|(what, size)| Part {
        what: (*what).to_owned(),
        size: *size,
        uses: Some(base.clone()),
    });
    let top = wanted.top.then(|| Top { what: "x".to_owned(), size: 0, uses: Some(Name::new("part", "a")) });
    Resources::new()
        .owns(cloud, bases.into_iter().collect())
        .owns(cloud, parts.collect())
        .owns(cloud, top.into_iter().collect())
}

/// A run over several ticks: what one tick reports goes into the next.
struct Run {
    cloud: Cloud,
    memory: Memory,
    input: Input,
    ctx: Context,
}

impl Run {
    fn new() -> Self {
        let input = Input { since_ms: now_ms(), ..Input::default() };
        Self {
            cloud: Cloud::default(),
            memory: Memory::default(),
            input,
            ctx: Context::example(statemachine::Part::Engine),
        }
    }

    fn world(&self) -> std::sync::MutexGuard<'_, World> {
        self.cloud.lock().expect("one thread")
    }

    async fn tick(&mut self, wanted: &Wanted, mode: Mode) -> StageReport {
        let input = self.input.clone();
        let report = tick(resources(&self.cloud, wanted), &self.ctx, mode, input, &self.memory)
            .await
            .expect("the look");
        self.input.made.clone_from(&report.made);
        self.input.changed.clone_from(&report.changed);
        report
    }

    /// Ticks until the stage stops saying "not ready"; fails when it never does.
    async fn until_done(&mut self, wanted: &Wanted, mode: Mode) -> StageReport {
        for _ in 0..50 {
            let report = self.tick(wanted, mode).await;
            if report.status != Status::NotReady {
                return report;
            }
        }
        panic!("the stage never ends");
    }
}

fn actions(report: &StageReport) -> Vec<(String, Action)> {
    report.items.iter().map(|item| (item.name.to_string(), item.action)).collect()
}

#[tokio::test]
async fn a_plan_changes_nothing_and_lists_everything_in_order() {
    let mut run = Run::new();
    let report = run.tick(&all(), Mode::Plan).await;
    let expected = ["base/one", "part/a", "part/b", "top/x"].map(|name| (name.to_owned(), Action::Create));
    assert_eq!(actions(&report), expected);
    assert_eq!(report.status, Status::Looked);
    assert!(run.world().things.is_empty());
}

#[tokio::test]
async fn one_tick_goes_all_the_way_when_aws_is_quick_and_a_second_run_changes_nothing() {
    let mut run = Run::new();
    let report = run.tick(&all(), Mode::Make).await;
    assert_eq!(report.status, Status::Ready, "{report:#?}");
    assert_eq!(run.world().creates, ["base/one", "part/a", "part/b", "top/x"]);
    assert!(
        report.items.iter().all(|item| item.progress == Progress::Done && item.action == Action::Create),
        "{report:#?}"
    );
    assert_eq!(report.names.id(&Name::new("base", "one")), Some("id-1"));

    let again = run.tick(&all(), Mode::Plan).await;
    assert!(again.items.iter().all(|item| item.action == Action::Keep), "{again:#?}");
}

#[tokio::test]
async fn what_needs_something_settled_waits_and_what_only_needs_it_to_exist_does_not() {
    let mut run = Run::new();
    run.world().slow_to_settle = 3;
    let first = run.tick(&all(), Mode::Make).await;
    assert_eq!(first.status, Status::NotReady);
    assert_eq!(run.world().creates, ["base/one"], "the parts need the base settled");
    let report = run.until_done(&all(), Mode::Make).await;
    assert_eq!(report.status, Status::Ready);
    assert_eq!(run.world().creates, ["base/one", "part/a", "part/b", "top/x"]);
    // The top was made while part/a was still changing: it only needs it to exist.
    assert_eq!(run.world().creates.len(), 4);
}

#[tokio::test]
async fn a_slow_read_never_leads_to_a_second_create() {
    let mut run = Run::new();
    run.world().slow_to_show = 4;
    let report = run.until_done(&all(), Mode::Make).await;
    assert_eq!(report.status, Status::Ready);
    assert_eq!(run.world().things.len(), 4, "{:?}", run.world().creates);
}

#[tokio::test]
async fn a_lost_answer_to_a_tokenless_create_is_looked_up_before_it_is_sent_again() {
    let mut run = Run::new();
    run.world().loses_answer = true;
    run.world().slow_to_show = 3;
    let report = run.tick(&Wanted { base: true, ..Wanted::default() }, Mode::Make).await;
    assert_eq!(report.status, Status::NotReady, "{report:#?}");
    let report = run.until_done(&Wanted { base: true, ..Wanted::default() }, Mode::Make).await;
    assert_eq!(report.status, Status::Ready);
    assert_eq!(
        run.world().creates,
        ["base/one"],
        "one create, although its answer was lost and the thing hidden"
    );
}

#[tokio::test]
async fn a_noted_create_that_made_nothing_is_sent_again_after_the_look_up() {
    let mut run = Run::new();
    let long_ago = now_ms() - 16_000;
    run.memory.notes.lock().expect("one thread").insert(Name::new("base", "one"), long_ago);
    let report = run.until_done(&Wanted { base: true, ..Wanted::default() }, Mode::Make).await;
    assert_eq!(report.status, Status::Ready);
    assert_eq!(run.world().creates, ["base/one"]);
}

#[tokio::test]
async fn left_overs_stay_in_make_and_go_backward_in_remove() {
    let mut run = Run::new();
    run.until_done(&all(), Mode::Make).await;
    let made = run.tick(&Wanted::default(), Mode::Make).await;
    assert_eq!((made.status, made.left_over), (Status::Ready, 4), "{made:#?}");
    assert_eq!(run.world().things.len(), 4);

    let removed = run.tick(&Wanted::default(), Mode::Remove).await;
    assert_eq!((removed.status, removed.left_over), (Status::Ready, 0), "{removed:#?}");
    assert_eq!(run.world().deletes, ["top/x", "part/a", "part/b", "base/one"]);
    assert!(
        removed.items.iter().all(|item| item.action == Action::Delete && item.progress == Progress::Done),
        "{removed:#?}"
    );
}

#[tokio::test]
async fn a_slow_removal_waits_for_what_goes_but_not_for_what_lingers() {
    let mut run = Run::new();
    run.until_done(&all(), Mode::Make).await;
    run.world().slow_to_go = 3;
    let first = run.tick(&Wanted::default(), Mode::Remove).await;
    assert_eq!(first.status, Status::NotReady);
    // `top` lingers, so the parts are asked to go at once; the base is still in use by parts that go.
    assert_eq!(run.world().deletes, ["top/x", "part/a", "part/b"]);
    let last = run.until_done(&Wanted::default(), Mode::Remove).await;
    assert_eq!((last.status, last.left_over), (Status::Ready, 0), "{last:#?}");
    assert!(run.world().things.is_empty());
}

#[tokio::test]
async fn the_older_of_two_is_ours_and_the_other_a_left_over() {
    let mut run = Run::new();
    run.until_done(&all(), Mode::Make).await;
    let twin = run.world().things["id-1"].clone();
    run.world().things.insert("id-9".to_owned(), twin);
    let plan = run.tick(&all(), Mode::Plan).await;
    let base: Vec<_> = actions(&plan).into_iter().filter(|(name, _)| name == "base/one").collect();
    assert_eq!(base, [("base/one".to_owned(), Action::Keep), ("base/one".to_owned(), Action::Delete)]);
    assert_eq!(plan.names.id(&Name::new("base", "one")), Some("id-1"));
    run.tick(&all(), Mode::Remove).await;
    assert!(!run.world().things.contains_key("id-9"));
    assert!(run.world().things.contains_key("id-1"));
}

#[tokio::test]
async fn the_younger_of_two_does_not_hold_up_what_uses_the_older() {
    let mut run = Run::new();
    run.until_done(&all(), Mode::Make).await;
    // A second one of the base, as two calls make it of which the first was not answered.
    create(&run.cloud, &Name::new("base", "one"), 1, None).expect("it is made");
    let wanted = Wanted { parts: vec![("a", 1), ("b", 3)], ..all() };
    let report = run.until_done(&wanted, Mode::Make).await;
    assert_eq!((report.status, report.left_over), (Status::Ready, 1), "{report:#?}");
    assert!(run.world().things.values().any(|record| record.name == "part/b" && record.size == 3));
}

#[tokio::test]
async fn a_failed_one_without_data_is_deleted_and_made_again_in_one_run() {
    let mut run = Run::new();
    run.until_done(&all(), Mode::Make).await;
    run.world().things.get_mut("id-4").expect("top/x").failed = true;
    let report = run.until_done(&all(), Mode::Make).await;
    assert_eq!(report.status, Status::Ready, "{report:#?}");
    assert_eq!(run.world().deletes, ["top/x"]);
    assert_eq!(run.world().creates.last().map(String::as_str), Some("top/x"));
}

#[tokio::test]
async fn a_change_outside_is_planned_and_mended() {
    let mut run = Run::new();
    run.until_done(&all(), Mode::Make).await;
    let fresh = Input { since_ms: now_ms(), ..Input::default() };
    run.input = fresh;
    run.world().things.get_mut("id-3").expect("part/b").size = 7;
    let plan = run.tick(&all(), Mode::Plan).await;
    let item = plan.items.iter().find(|item| item.action == Action::Update).expect("one update");
    assert_eq!(
        (item.changes[0].field.as_str(), &item.changes[0].from, &item.changes[0].to),
        ("size", &7.into(), &2.into())
    );
    let report = run.until_done(&all(), Mode::Make).await;
    assert_eq!(report.status, Status::Ready);
    assert_eq!(run.world().things["id-3"].size, 2);
}

#[tokio::test]
async fn changes_of_two_kinds_at_once_are_not_taken_for_second_changes() {
    let mut run = Run::new();
    run.until_done(&all(), Mode::Make).await;
    run.input.made.clear();
    for record in
        run.world().things.values_mut().filter(|record| ["part/a", "top/x"].contains(&record.name.as_str()))
    {
        record.size = 9;
    }
    let report = run.tick(&all(), Mode::Make).await;
    assert_eq!((report.status, report.failure), (Status::Ready, None));
}

#[tokio::test]
async fn a_change_that_aws_does_not_keep_is_a_failure_and_not_an_endless_loop() {
    let mut run = Run::new();
    run.until_done(&all(), Mode::Make).await;
    run.world().forgets_updates = true;
    let mut wanted = all();
    wanted.parts[1].1 = 9;
    let report = run.until_done(&wanted, Mode::Make).await;
    assert_eq!(report.status, Status::Failed);
    let failure = report.failure.expect("a failure");
    assert!(failure.message.contains("did not keep it: size is 2 and not 9"), "{}", failure.message);
}

#[tokio::test]
async fn a_failure_names_the_resource_and_lets_the_rest_of_the_wave_end() {
    let mut run = Run::new();
    run.world().broken = Some(("part/a".to_owned(), ErrorKind::Invalid));
    let report = run.tick(&all(), Mode::Make).await;
    assert_eq!(report.status, Status::Failed);
    let failure = report.failure.clone().expect("a failure");
    assert_eq!((failure.stage, failure.name.as_str()), (statemachine::Part::Engine, "part/a"));
    assert_eq!(failure.message, "part/a is broken");
    assert_eq!(run.world().creates, ["base/one", "part/b"], "part/b was under way; the top was not begun");
    let progress =
        |name: &str| report.items.iter().find(|item| item.name.as_str() == name).map(|item| item.progress);
    assert_eq!(progress("part/a"), Some(Progress::Failed));
    assert_eq!(progress("part/b"), Some(Progress::Done));
    assert_eq!(progress("top/x"), Some(Progress::Pending));
    // The same again goes on from there.
    let report = run.until_done(&all(), Mode::Make).await;
    assert_eq!(report.status, Status::Ready);
    assert_eq!(run.world().things.len(), 4);
}

#[tokio::test]
async fn what_aws_refuses_for_now_is_tried_again() {
    let mut run = Run::new();
    run.world().broken = Some(("part/b".to_owned(), ErrorKind::NotReady));
    let wanted = Wanted { base: true, parts: vec![("b", 2)], top: false };
    let first = run.tick(&wanted, Mode::Make).await;
    assert_eq!(first.status, Status::NotReady);
    let item = first.items.iter().find(|item| item.name.as_str() == "part/b").expect("its line");
    assert_eq!(item.reason.as_deref(), Some("part/b is broken"));
    assert_eq!(run.until_done(&wanted, Mode::Make).await.status, Status::Ready);
}

#[tokio::test]
async fn a_run_that_lost_the_lock_writes_nothing_more() {
    let mut run = Run::new();
    *run.memory.stop.lock().expect("one thread") = Some("run 7 holds the lock now".to_owned());
    let report = run.tick(&all(), Mode::Make).await;
    assert_eq!(report.status, Status::Stopped);
    assert_eq!(report.stopped.as_deref(), Some("run 7 holds the lock now"));
    assert!(run.world().things.is_empty());
}

#[tokio::test]
async fn without_time_left_no_call_is_started_and_the_stage_is_called_again_at_once() {
    let mut run = Run::new();
    run.ctx.deadline = Instant::now();
    let report = run.tick(&all(), Mode::Make).await;
    assert_eq!((report.status, report.retry_after_s), (Status::NotReady, 0));
    assert!(run.world().things.is_empty());
}

#[tokio::test]
async fn what_waits_for_the_user_does_not_hold_up_the_rest() {
    let run = Run::new();
    run.world().slow_to_settle = 1_000;
    let only_base = Wanted { base: true, parts: vec![("a", 1)], top: false };
    let parked = |cloud: &Cloud| {
        resources(cloud, &only_base).park(Name::new("base", "one"), "Point the name servers here.")
    };
    let input = Input { since_ms: now_ms(), ..Input::default() };
    let report = tick(parked(&run.cloud), &run.ctx, Mode::Make, input, &run.memory).await.expect("the look");
    assert_eq!(report.status, Status::Ready, "{report:#?}");
    let parked: Vec<_> = report
        .items
        .iter()
        .filter(|item| item.progress == Progress::Parked)
        .map(|item| item.name.as_str())
        .collect();
    assert_eq!(parked, ["base/one", "part/a"], "what needs it waits for the user too");
    assert_eq!(report.waiting[0].next, "Point the name servers here.");
}

#[tokio::test]
async fn a_need_that_nobody_makes_is_an_error_and_not_an_endless_wait() {
    let mut run = Run::new();
    let wanted = Wanted { base: false, parts: vec![("a", 1)], top: false };
    let report = run.tick(&wanted, Mode::Make).await;
    assert_eq!(report.status, Status::Failed, "{report:#?}");
    let message = report.failure.expect("a failure").message;
    assert!(message.contains("base/one"), "{message}");
}

#[tokio::test]
async fn a_line_keeps_what_was_asked_for_when_the_kind_is_looked_at_again() {
    let mut run = Run::new();
    let line = |report: &StageReport, name: &str| {
        let found = report.items.iter().find(|item| item.name.as_str() == name);
        found.unwrap_or_else(|| panic!("{name} has a line")).clone()
    };
    let made = line(&run.until_done(&all(), Mode::Make).await, "part/a");
    assert_eq!((made.action, made.progress), (Action::Create, Progress::Done));
    assert_eq!(made.to.expect("a description")["size"], 1);

    let larger = Wanted { parts: vec![("a", 3), ("b", 2)], ..all() };
    run.input.made.clear();
    let changed = line(&run.tick(&larger, Mode::Make).await, "part/a");
    assert_eq!((changed.action, changed.progress), (Action::Update, Progress::Done));
    assert_eq!(changed.changes.first().map(|change| change.to.clone()), Some(3.into()));
}
