//! Hands in the console: what is changed or deleted behind the provisioner's back is shown by a plan, mended by an
//! apply, or refused where data is at stake. `hands` lists who does what to which resource.

mod hands;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::harness::Emulator;
use crate::lifecycle::{changed, example};
use hands::{Hand, changes, deletions, untouchable};

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
            let name = without_hash(&text(&one["name"]));
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

    /// Carries out what the hands do, in order. `$name` in a parameter stands for the id of that resource.
    #[track_caller]
    fn by_hand(&self, hands: &[Hand]) {
        let ids = self.ids();
        let calls = hands.iter().flat_map(|hand| &hand.calls);
        let refused: Vec<String> = calls
            .filter_map(|call| {
                let params = filled(&call.params, &ids);
                let refusal = self.emulator.strict().by_hand(call.service, call.operation, &params)?;
                Some(format!("{}:{} {params}: {refusal}", call.service, call.operation))
            })
            .collect();
        assert!(refused.is_empty(), "AWS refuses what is done here: {refused:#?}");
    }

    /// A plan shows these lines and no other; an apply mends them, and then nothing is to do.
    #[track_caller]
    fn is_shown_and_mended(&self, hands: &[Hand]) {
        let plan = self.plan();
        let shown: BTreeSet<String> = changed(&plan).into_iter().map(|line| without_hash(&line)).collect();
        let expected: BTreeSet<String> =
            hands.iter().flat_map(|hand| &hand.shows).map(|line| (*line).to_owned()).collect();
        assert_eq!(shown, expected, "{plan:#}");
        for (item, why) in reasons(&plan) {
            assert_eq!(why, "changed-outside", "{item}: {plan:#}");
        }
        self.emulator.stepstack(&example(), &["apply", "--yes"]).expect(0);
        assert_eq!(changed(&self.plan()), Vec::<String>::new(), "mended by one apply");
    }
}

/// `update service/api` of `update service/api@1a2b3c`.
fn without_hash(line: &str) -> String {
    line.split('@').next().unwrap_or(line).to_owned()
}

/// Why each field of each line is due.
fn reasons(plan: &Value) -> Vec<(String, String)> {
    let stages = plan["plan"]["stages"].as_array().into_iter().flatten();
    let items = stages.flat_map(|stage| stage["items"].as_array().into_iter().flatten());
    let changes = items.flat_map(|item| {
        let changes = item["changes"].as_array().into_iter().flatten();
        changes.map(|change| (format!("{} {}", item["name"], change["field"]), change["why"].clone()))
    });
    changes.map(|(item, why)| (item, why.as_str().unwrap_or("nothing").to_owned())).collect()
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
    let hands = changes();
    stack.by_hand(&hands);
    stack.is_shown_and_mended(&hands);
}

#[tokio::test]
async fn what_was_deleted_in_the_console_is_shown_and_made_anew() {
    let stack = Stack::new();
    for hands in deletions() {
        stack.by_hand(&hands);
        stack.is_shown_and_mended(&hands);
    }
}

#[tokio::test]
async fn every_kind_of_owned_resource_is_touched() {
    let stack = Stack::new();
    let owned: BTreeSet<String> = stack.ids().keys().map(|name| kind(name)).collect();
    let of = |hands: Vec<Hand>| -> BTreeSet<String> {
        let lines = hands.into_iter().flat_map(|hand| hand.shows);
        lines.filter_map(|line| Some(kind(line.split_once(' ')?.1))).collect()
    };
    let mut touched = of(changes());
    touched.extend(of(deletions().into_iter().flatten().collect()));
    for (kind, why) in untouchable() {
        assert!(!touched.contains(kind), "{kind} is touched after all ({why})");
        touched.insert(kind.to_owned());
    }
    assert_eq!(owned, touched);
}
