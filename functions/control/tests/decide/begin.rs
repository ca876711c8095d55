//! Whether a trigger is acted on.

use std::num::NonZeroU32;

use control::{Ask, NotAsked, Source};
use record::{Holder, keys};
use statemachine::message::{
    By, Image, Intent, ObjectVersion, Operation, Parameters, Release, ReleaseRecord, Trigger,
};

use crate::fixture::{FILE, document};
use crate::table::{Row, assert_all_operations, operation, rows};
use crate::world::{RUN, World};

/// `lock`: free, or held by another run's operation. `intent`: of an environment that was never applied, of one that
/// lives, or is paused.
pub(crate) const TABLE: &str = "
    operation        trigger   lock     intent  with        => course      reads                                     writes
    plan             cli       free     never   -           => look        configuration,intent                      request
    plan             cli       apply    live    -           => look        configuration,intent                      request
    plan             cli       free     live    bad-file    => refuse      configuration                             request,result
    plan-destroy     cli       destroy  live    -           => look        intent                                    request

    apply            cli       free     never   -           => look        configuration,turn,intent                 request
    apply            cli       free     live    -           => look        configuration,turn,intent                 request
    apply            cli       free     paused  -           => look        configuration,turn,intent                 request
    apply            cli       free     live    at-its-place => look       configuration,turn,intent                 configuration,request
    apply            cli       apply    live    -           => wait        configuration,turn,waits-for              request
    apply            cli       apply    live    waiting     => wait        configuration,turn,waits-for              -
    apply            cli       destroy  live    -           => wait        configuration,turn,waits-for              request
    apply            cli       free     never   bad-file    => refuse      configuration                             request,result
    apply            cli       apply    live    no-file     => refuse      configuration                             request,result
    apply            cli       free     live    other-file  => refuse      configuration                             request,result
    apply            cli       free     live    far-away    => refuse      configuration                             request,result
    apply            upload    free     live    -           => look        configuration,turn,intent,newest          configuration,request
    apply            upload    free     live    newer       => overtaken   configuration,turn,intent,newest          request,result,lock
    apply            upload    free     live    gone        => overtaken   configuration,turn,intent,newest          request,result,lock
    apply            upload    deploy   live    -           => wait        configuration,turn,waits-for              request
    apply            upload    destroy  live    -           => refuse      configuration,turn                        request,result
    apply            upload    free     live    bad-file    => refuse      configuration                             request,result
    apply            upload    free     live    not-asked   => refuse      -                                         request,result

    destroy          cli       free     live    -           => look        turn,intent                               request
    destroy          cli       free     never   -           => look        turn,intent                               request
    destroy          cli       apply    live    -           => wait        turn,waits-for                            request

    deploy           cli       free     live    -           => look        turn,intent,configuration                 configuration,request
    deploy           cli       free     paused  -           => refuse      turn,intent,configuration                 request,result,lock
    deploy           cli       free     live    no-image    => refuse      turn,intent,configuration                 request,result,lock
    deploy           cli       apply    live    no-wait     => busy        turn                                      request,result
    deploy           cli       apply    live    -           => wait        turn,waits-for                            request
    deploy           push      free     live    -           => look        turn,intent,newest,configuration          configuration,request
    deploy           push      free     live    gone        => look        turn,intent,newest,configuration          configuration,request
    deploy           push      free     live    no-tag      => look        turn,intent,configuration                 configuration,request
    deploy           push      free     live    deployed    => overtaken   turn,intent                               request,result,lock
    deploy           push      free     live    newer       => overtaken   turn,intent,newest                        request,result,lock
    deploy           push      free     live    other-tag   => refuse      turn,intent,newest,configuration          request,result,lock
    deploy           push      free     never   -           => refuse      turn,intent,newest                        request,result,lock
    deploy           push      free     paused  -           => note        turn,intent,newest,configuration          intent,request,result,lock
    deploy           push      destroy  live    -           => refuse      turn                                      request,result
    deploy           push      apply    live    -           => wait        turn,waits-for                            request

    rollback         cli       free     live    -           => look        turn,intent,configuration,release         configuration,request
    rollback         cli       free     live    no-release  => refuse      turn,intent,configuration,release         request,result,lock
    rollback         cli       free     live    same        => so-already  turn,intent,configuration,release         request,result,lock
    rollback         cli       free     live    first       => refuse      turn,intent,configuration                 request,result,lock
    rollback         cli       free     never   -           => refuse      turn,intent                               request,result,lock
    rollback         cli       free     paused  -           => refuse      turn,intent,configuration,release         request,result,lock

    scale            cli       free     live    -           => look        turn,intent,configuration                 configuration,request
    scale            cli       free     live    no-service  => refuse      turn,intent,configuration                 request,result,lock
    scale            cli       free     paused  -           => refuse      turn,intent,configuration                 request,result,lock
    restart          cli       free     live    -           => look        turn,intent,configuration                 configuration,request
    restart          cli       free     live    bad-file    => refuse      turn,intent,configuration                 request,result,lock
    restart          cli       free     paused  -           => refuse      turn,intent,configuration                 request,result,lock
    run              cli       free     live    -           => look        turn,intent,configuration                 configuration,request
    run              cli       free     never   -           => refuse      turn,intent                               request,result,lock

    rotate           cli       free     live    -           => look        turn,intent,configuration                 configuration,request
    rotate           cli       free     live    no-database => refuse      turn,intent,configuration                 request,result,lock
    rotate           schedule  free     live    -           => look        turn,intent,configuration                 configuration,request
    rotate           schedule  free     never   -           => refuse      turn,intent                               request,result,lock
    rotate           schedule  destroy  live    -           => refuse      turn                                      request,result
    snapshot-create  cli       free     live    -           => look        turn,intent,configuration                 configuration,request
    snapshot-create  cli       free     live    no-database => refuse      turn,intent,configuration                 request,result,lock
    snapshot-forget  cli       free     live    -           => look        turn,intent,configuration                 configuration,request
    restore          cli       free     live    -           => look        turn,intent,configuration                 configuration,request
    restore          cli       free     paused  -           => refuse      turn,intent,configuration                 request,result,lock
    restore-object   cli       free     live    -           => look        turn,intent,configuration                 configuration,request
    restore-object   cli       free     paused  -           => look        turn,intent,configuration                 configuration,request

    pause            cli       free     live    -           => look        turn,intent,configuration                 configuration,request
    pause            schedule  free     paused  -           => look        turn,intent,configuration                 configuration,request
    resume           cli       free     paused  -           => look        turn,intent,configuration                 configuration,request
    resume           cli       free     live    -           => so-already  turn,intent,configuration                 request,result,lock
";

const FIRST: NonZeroU32 = NonZeroU32::MIN;

/// The image that a deploy asks for.
pub(crate) fn new_image() -> String {
    format!("sha256:{}", "d".repeat(64))
}

pub(crate) fn trigger(name: &str) -> Trigger {
    match name {
        "cli" => Trigger::Cli,
        "upload" => Trigger::ConfigUpload,
        "push" => Trigger::ImagePush,
        "schedule" => Trigger::Schedule,
        other => panic!("no trigger: {other}"),
    }
}

/// What the trigger asks for, with everything that its operation needs.
pub(crate) fn ask(operation: Operation, trigger: Trigger) -> Ask {
    let mut ask = Ask::new(trigger, "production".to_owned(), operation);
    let upload = Source { key: keys::environment("production"), version: Some("v1".to_owned()) };
    ask.source = match (operation.is_overlay(), trigger) {
        (true, _) => None,
        (false, Trigger::ConfigUpload) => Some(upload),
        (false, Trigger::Cli | Trigger::ImagePush | Trigger::Schedule) => {
            Some(Source { key: keys::of_run("production", RUN, "config.toml"), version: None })
        }
    };
    ask.parameters = Parameters {
        image: Some(new_image()),
        tag: (trigger == Trigger::ImagePush).then(|| "latest".to_owned()),
        counts: [("api".to_owned(), Some(3))].into(),
        snapshot: Some("a-snapshot".to_owned()),
        object: Some(ObjectVersion { key: "a".to_owned(), version: "v".to_owned(), etag: "e".to_owned() }),
        ..Parameters::default()
    };
    ask
}

pub(crate) fn intent(of: &str) -> Option<Intent> {
    let live = document(Operation::Apply).intent;
    let by = By {
        run: "20261122-100000-0002".to_owned(),
        at: "2026-11-22T10:00:00Z".to_owned(),
        operation: Operation::Pause,
        trigger: Trigger::Cli,
        caller: None,
    };
    match of {
        "never" => None,
        "live" => Some(live),
        "paused" => Some(Intent { paused: Some(by), ..live }),
        other => panic!("no intent: {other}"),
    }
}

pub(crate) fn held_by(operation: &str) -> Option<Holder> {
    (operation != "free").then(|| Holder {
        run: "20261123-101400-0003".to_owned(),
        execution: "another".to_owned(),
        operation: operation.to_owned(),
        since: "2026-11-23T10:14:00Z".to_owned(),
    })
}

pub(crate) fn release(number: NonZeroU32) -> ReleaseRecord {
    let digest = format!("sha256:{number:064}");
    ReleaseRecord {
        release: Release { number, image: Image { digest, tag: None, architecture: None } },
        run: "20261120-101500-0001".to_owned(),
        operation: Operation::Deploy,
        trigger: Trigger::Cli,
        caller: None,
        at: "2026-11-20T10:15:00Z".to_owned(),
        duration_ms: 1,
        environment: [].into(),
        task_definitions: [].into(),
    }
}

/// A world in which a trigger has what it needs.
pub(crate) fn world(trigger: Trigger, lock: &str, of: &str) -> World {
    let newest = match trigger {
        Trigger::ImagePush => new_image(),
        Trigger::Cli | Trigger::ConfigUpload | Trigger::Schedule => "v1".to_owned(),
    };
    World {
        file: Some(FILE.to_owned()),
        holder: held_by(lock),
        generation: 4,
        intent: intent(of),
        newest: Some(newest),
        releases: [FIRST, FIRST.saturating_add(1)].map(|number| (number, release(number))).into(),
        ..World::default()
    }
}

fn check(row: &Row<'_>) {
    let &[of, by, lock, before, with] = row.given.as_slice() else { panic!("five conditions: {}", row.line) };
    let mut world = world(trigger(by), lock, before);
    let mut ask = Ok(ask(operation(of), trigger(by)));
    let wanted = ask.as_mut().expect("it asks");
    match with {
        "-" => {}
        "bad-file" => world.file = Some("app = 1".to_owned()),
        "no-file" => world.file = None,
        "other-file" => world.file = Some(FILE.replace("arive", "another")),
        "far-away" => world.file = Some(FILE.replacen('[', "region = \"eu-west-1\"\n[", 1)),
        "no-database" => world.file = Some(FILE.replace("[database]\n", "")),
        "at-its-place" => {
            wanted.source = Some(Source { key: keys::environment("production"), version: None });
        }
        "waiting" => world.waits_for = Some("20261123-101400-0003".to_owned()),
        "no-wait" => wanted.waits = false,
        "newer" => world.newest = Some("newer".to_owned()),
        "gone" => world.newest = None,
        "deployed" => wanted.parameters.image = Some(format!("sha256:{}", "a".repeat(64))),
        "no-image" => wanted.parameters.image = None,
        "no-tag" => wanted.parameters.tag = None,
        "other-tag" => wanted.parameters.tag = Some("nightly".to_owned()),
        "no-release" => wanted.parameters.release = Some(7),
        "same" => wanted.parameters.release = Some(2),
        "first" => {
            let release = world.intent.as_mut().and_then(|intent| intent.release.as_mut());
            release.expect("a release").number = FIRST;
        }
        "no-service" => wanted.parameters.counts.clear(),
        "not-asked" => {
            ask = Err(NotAsked {
                environment: "production".to_owned(),
                trigger: trigger(by),
                reason: "It asks for nothing.".to_owned(),
            });
        }
        other => panic!("no condition: {other}"),
    }
    let step = world.begin(ask);
    row.assert_holds(&mut world, step);
}

#[test]
fn the_table_holds() {
    rows(TABLE).iter().for_each(check);
    assert_all_operations(TABLE);
}
