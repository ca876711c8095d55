//! Hands in the console: what is changed or deleted behind the provisioner's back is shown by a plan, mended by an
//! apply, or refused where data is at stake. `changes` and `deletions` list who does what to which resource; what a
//! plan then says of each field stands in `snapshots`.

mod changes;
mod deletions;
mod hands;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::Emulator;
use crate::lifecycle::{changed, example, without_hashes};
use changes::{CONSTANT, changes};
use deletions::{DATA, deletions, led_astray, refusals};
use hands::Hand;

/// The example stack, applied.
struct Stack {
    emulator: Emulator,
}

impl Stack {
    fn new() -> Self {
        let emulator = Emulator::start();
        emulator.stepstack(&example(), &["apply", "--yes"]).expect(0);
        Self { emulator }
    }

    /// AWS's ids by name, and attributes by name and `#`; a name's hash is left out, so `target-group/api` finds
    /// `target-group/api@1a2b3c`.
    fn ids(&self) -> BTreeMap<String, String> {
        let pulled = self.emulator.stepstack(&example(), &["state", "pull"]).expect(0).json();
        let owned = pulled.as_array().expect("a list").iter();
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let mut ids = BTreeMap::new();
        for one in owned {
            let name = without_hashes(&text(&one["name"]));
            for (attribute, value) in one["attributes"].as_object().expect("attributes") {
                ids.insert(format!("{name}#{attribute}"), text(value));
            }
            ids.insert(name, text(&one["id"]));
        }
        ids
    }

    fn plan(&self) -> Value {
        self.emulator.stepstack(&example(), &["plan", "--json"]).expect(0).json()
    }

    /// Carries out what the hands do, in order, each once what goes before it has gone. `$name` in a parameter stands
    /// for the id of that resource.
    #[track_caller]
    fn by_hand(&self, hands: &[Hand]) {
        let ids = self.ids();
        let calls = hands.iter().flat_map(|hand| &hand.calls);
        let refused: Vec<String> = calls
            .filter_map(|call| {
                let params = filled(&call.params, &ids);
                let longest = Instant::now() + Duration::from_secs(10);
                let refusal = loop {
                    let refusal = self.emulator.strict().by_hand(call.service, call.operation, &params)?;
                    if Instant::now() > longest {
                        break refusal;
                    }
                    std::thread::sleep(Duration::from_millis(100));
                };
                Some(format!("{}:{} {params}: {refusal}", call.service, call.operation))
            })
            .collect();
        assert!(refused.is_empty(), "AWS refuses what is done here: {refused:#?}");
    }

    /// A plan shows these lines and no other; an apply mends them, and then nothing is to do. Answers what the plan
    /// says of each field, with names in place of AWS's ids as they were before.
    #[track_caller]
    fn is_shown_and_mended(&self, hands: &[Hand], ids: &BTreeMap<String, String>) -> String {
        let plan = self.plan();
        let shown: BTreeSet<String> = changed(&plan).into_iter().map(|line| without_hashes(&line)).collect();
        let expected: BTreeSet<String> =
            hands.iter().flat_map(|hand| &hand.shows).map(|line| (*line).to_owned()).collect();
        assert_eq!(shown, expected, "{plan:#}");
        self.emulator.stepstack(&example(), &["apply", "--yes"]).expect(0);
        assert_eq!(changed(&self.plan()), Vec::<String>::new(), "mended by one apply");
        fields(&plan, ids)
    }
}

/// Each field of each line: what it is, what it will be, and why.
fn fields(plan: &Value, ids: &BTreeMap<String, String>) -> String {
    let stages = plan["plan"]["stages"].as_array().into_iter().flatten();
    let items = stages.flat_map(|stage| stage["items"].as_array().into_iter().flatten());
    let lines = items.flat_map(|item| {
        let changes = item["changes"].as_array().into_iter().flatten();
        changes.map(|change| {
            let (name, field) = (item["name"].as_str()?, change["field"].as_str()?);
            let (from, to, why) =
                (&change["from"], &change["to"], change["why"].as_str().unwrap_or("nothing"));
            Some(format!("{name} {field}: {from} -> {to} ({why})"))
        })
    });
    let mut lines: Vec<String> = lines.map(|line| line.expect("a name and a field")).collect();
    lines.sort();
    let ids = ids.iter().map(|(name, id)| (format!("\"{id}\""), format!("\"${name}\"")));
    let text = ids.fold(lines.join("\n"), |text, (id, name)| text.replace(&id, &name));
    without_hashes(&text)
}

/// Parameters with the ids put in.
fn filled(params: &Value, ids: &BTreeMap<String, String>) -> Value {
    match params {
        Value::String(text) => match text.strip_prefix('$') {
            Some(name) => {
                ids.get(name).unwrap_or_else(|| panic!("{name} is owned: {ids:#?}")).as_str().into()
            }
            None => params.clone(),
        },
        Value::Array(list) => list.iter().map(|one| filled(one, ids)).collect(),
        Value::Object(fields) => {
            Value::Object(fields.iter().map(|(key, one)| (key.clone(), filled(one, ids))).collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => params.clone(),
    }
}

fn kind(name: &str) -> String {
    name.split('/').next().unwrap_or(name).to_owned()
}

#[tokio::test]
async fn what_was_changed_in_the_console_is_shown_and_put_right() {
    let stack = Stack::new();
    let (hands, ids) = (changes(), stack.ids());
    stack.by_hand(&hands);
    insta::assert_snapshot!("changed", stack.is_shown_and_mended(&hands, &ids));
}

#[tokio::test]
async fn what_was_deleted_in_the_console_is_shown_and_made_anew() {
    let stack = Stack::new();
    let mut shown = Vec::new();
    for hands in deletions() {
        let ids = stack.ids();
        stack.by_hand(&hands);
        shown.push(stack.is_shown_and_mended(&hands, &ids));
    }
    shown.retain(|fields| !fields.is_empty());
    insta::assert_snapshot!("deleted", shown.join("\n"));
}

#[tokio::test]
async fn a_record_that_was_led_elsewhere_is_a_strangers_until_it_is_adopted() {
    let stack = Stack::new();
    let hands = [led_astray()];
    stack.by_hand(&hands);
    let plan = stack.emulator.stepstack(&example(), &["plan", "--json"]).expect(4).json();
    assert_eq!(changed(&plan), hands[0].shows, "{plan:#}");
    let blocked = stack.emulator.stepstack(&example(), &["apply", "--yes"]).expect(4);
    let said = format!("{}{}", blocked.stdout, blocked.stderr);
    assert!(said.contains("is not this stack's") && said.contains("--adopt"), "{said}");
    stack.emulator.stepstack(&example(), &["apply", "--yes", "--adopt"]).expect(0);
    assert_eq!(changed(&stack.plan()), Vec::<String>::new(), "adopted by one apply");
}

#[tokio::test]
async fn what_is_in_use_cannot_be_deleted_in_the_console_and_a_plan_shows_nothing() {
    let stack = Stack::new();
    let ids = stack.ids();
    for (kind, call, code) in refusals() {
        let params = filled(&call.params, &ids);
        let refusal = stack.emulator.strict().by_hand(call.service, call.operation, &params);
        let refusal = refusal.unwrap_or_else(|| panic!("AWS deletes {kind}"));
        assert!(refusal.starts_with(&format!("{code}:")), "{kind}: {refusal}");
    }
    assert_eq!(changed(&stack.plan()), Vec::<String>::new());
}

#[tokio::test]
async fn every_kind_of_owned_resource_is_changed_and_deleted() {
    let stack = Stack::new();
    let owned: BTreeSet<String> = stack.ids().keys().map(|name| kind(name)).collect();
    let of = |hands: Vec<Hand>, verb: &str| -> Vec<String> {
        let lines = hands.into_iter().flat_map(|hand| hand.shows);
        lines.filter_map(|line| Some(kind(line.strip_prefix(verb)?))).collect()
    };
    let all = |kinds: Vec<String>, others: Vec<&str>| -> BTreeSet<String> {
        let both = others.iter().find(|other| kinds.iter().any(|kind| kind == *other));
        assert_eq!(both, None, "it stands in two lists");
        kinds.into_iter().chain(others.into_iter().map(str::to_owned)).collect()
    };
    let constant = CONSTANT.map(|(kind, _)| kind).to_vec();
    assert_eq!(owned, all(of(changes(), "update "), constant), "changed, or constant");
    let deleted = of(deletions().into_iter().flatten().collect(), "create ");
    let kept = refusals().into_iter().map(|(kind, ..)| kind).chain(DATA).collect();
    assert_eq!(owned, all(deleted, kept), "deleted, or refused, or data");
}
