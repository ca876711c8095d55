//! Makes the state machine's definition out of the stages and their order. What it makes is committed as
//! `definition.asl.json`: plain JSON, for Workflow Studio and for people.

mod layout;
mod states;

use layout::laid_out;
use serde_json::{Map, Value, json};
use statemachine::Stage;
use statemachine::message::{Next, Operation};
use states::{
    Then, branches, chain, choice, commented, fail, has_ended_badly, has_left_overs, look, make, parallel,
    remove, rule, state, task, verdicts, wait,
};

/// The definition as it is committed.
pub(crate) fn text() -> String {
    laid_out(&machine(), 0, "") + "\n"
}

fn machine() -> Value {
    let Order { alone, first, second, last } = Order::of_stages();
    let before_last: Vec<Stage> = Stage::ALL.into_iter().filter(|stage| *stage != last).collect();
    let look_last = state("Look", last, "");
    let (make_last, remove_last) = (state("Make", last, "?"), state("Remove", last, "?"));
    let removal = |wave: usize| Stage::ALL.into_iter().filter(move |stage| stage.removal_wave() == wave);
    let to_diagnose = |stages: &[Stage]| -> Vec<Value> {
        stages.iter().map(|stage| rule(has_ended_badly(*stage), "Diagnose")).collect()
    };

    // Begin: the document.
    let begin = json!({
        "step": "begin",
        "input.$": "$$.Execution.Input",
        "execution.$": "$$.Execution.Id",
        "name.$": "$$.Execution.Name",
        "started_at.$": "$$.Execution.StartTime",
    });
    let mut states = vec![
        commented(
            "Reads and checks what is asked for, takes the lock, starts the record. Its answer is the document.",
            task("Begin", "control", &begin, None, ("$.caught", "NotBegun"), Then::Next("Begun?")),
        ),
        choice(
            "Begun?",
            &verdicts(&[(Next::Look, "Look"), (Next::Wait, "WaitForTurn"), (Next::Succeed, "Succeeded")]),
            "Failed",
        ),
        wait("WaitForTurn", "$.verdict.retry_after_s", "Begin"),
    ];

    // Look, in the order of the stages.
    let chains = [chain("Look", &first, &second, None, look)];
    states.push(parallel("Look", branches(&alone, look, chains), "Diagnose", Then::Next(&look_last)));
    states.extend(look(last, Then::Next("Join")));
    let join = json!({ "step": "join", "document.$": "$" });
    states.extend([
        task("Join", "control", &join, None, ("$.caught", "Diagnose"), Then::Next("Joined?")),
        choice(
            "Joined?",
            &verdicts(&[
                (Next::Make, "Make"),
                (Next::Remove, &remove_last),
                (Next::Succeed, "Succeeded"),
                (Next::Diagnose, "Diagnose"),
                (Next::Finish, "Finish"),
            ]),
            "Failed",
        ),
    ]);

    // Make, in the order of the stages.
    let chains = [chain("Make", &first, &second, Some("MadeFirst?"), make)];
    states.push(parallel("Make", branches(&alone, make, chains), "Diagnose", Then::Next("MadeAll?")));
    states.push(choice("MadeAll?", &to_diagnose(&before_last), &make_last));
    states.extend(make(last, Then::Next("Made?")));
    let mut made = to_diagnose(&[last]);
    made.extend(Stage::ALL.map(|stage| rule(has_left_overs(stage), &remove_last)));
    states.push(choice("Made?", &made, "Finish"));

    // Remove, backward.
    assert_eq!(removal(0).collect::<Vec<_>>(), [last], "the last stage goes first");
    assert!(removal(3).next().is_none(), "two more waves go after it");
    let (near, far): (Vec<Stage>, Vec<Stage>) = (removal(1).collect(), removal(2).collect());
    let last_removed = state("Removed", last, "?");
    states.extend(remove(last, Then::Next(&last_removed)));
    states.push(choice(&last_removed, &to_diagnose(&[last]), "RemoveFirst"));
    states.push(parallel(
        "RemoveFirst",
        branches(&near, remove, []),
        "Diagnose",
        Then::Next("RemovedFirst?"),
    ));
    states.push(choice("RemovedFirst?", &to_diagnose(&near), "RemoveSecond"));
    states.push(parallel("RemoveSecond", branches(&far, remove, []), "Diagnose", Then::Next("Removed?")));
    let mut removed = to_diagnose(&far);
    let destroys = json!({ "Variable": "$.run.operation", "StringEquals": Operation::Destroy });
    removed.push(rule(destroys, "Look"));
    states.push(commented(
        "A destroy looks once more: only what cannot be seen any more is gone.",
        choice("Removed?", &removed, "Finish"),
    ));

    // Finish.
    let diagnose = task(
        "Diagnose",
        "diagnose",
        &json!({ "document.$": "$" }),
        Some(Value::Null),
        ("$.undiagnosed", "Finish"),
        Then::Next("Finish"),
    );
    let finish = json!({ "step": "finish", "document.$": "$" });
    states.extend([
        commented("Gathers the cause of a failure before anything is cleaned up. It never fails a run.", diagnose),
        task("Finish", "control", &finish, None, ("$.caught", "NotFinished"), Then::Next("Finished?")),
        commented(
            "A failed deploy, rollback, restart or rotation goes back once, to put back what was there before.",
            choice("Finished?", &verdicts(&[(Next::Succeed, "Succeeded"), (Next::Make, "Make")]), "Failed"),
        ),
        ("Succeeded".to_owned(), json!({ "Type": "Succeed" })),
        (
            "Failed".to_owned(),
            json!({ "Type": "Fail", "Error": "Stepstack", "CausePath": "$.verdict.message" }),
        ),
        fail("NotBegun"),
        commented(
            "The run could not write its result. Its lock frees itself a minute after its end.",
            fail("NotFinished"),
        ),
    ]);
    json!({
        "Comment": "Stepstack: begin, look at every stage, join their plans, make forward, remove backward, finish. Every AWS call is made by a function; this only waits and calls again.",
        "QueryLanguage": "JSONPath",
        "StartAt": "Begin",
        "States": states.into_iter().collect::<Map<_, _>>(),
    })
}

/// What [`Stage::after`] comes to: two waves, beside them stages of their own, and one stage at the end.
struct Order {
    alone: Vec<Stage>,
    first: Vec<Stage>,
    second: Vec<Stage>,
    last: Stage,
}

impl Order {
    fn of_stages() -> Self {
        let [before @ .., last] = Stage::ALL;
        assert_eq!(last.after(), before, "the last stage comes after all others");
        let is_followed = |stage: &Stage| before.iter().any(|other| other.after().contains(stage));
        let (roots, second): (Vec<_>, Vec<_>) =
            before.into_iter().partition(|stage| stage.after().is_empty());
        let (first, alone): (Vec<_>, Vec<_>) = roots.into_iter().partition(is_followed);
        for stage in &second {
            assert_eq!(stage.after(), first, "{stage} comes after the first wave");
        }
        Self { alone, first, second, last }
    }
}
