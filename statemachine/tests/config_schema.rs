//! The schema that an editor reads and the check that a run makes say the same.

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::string::string_regex;
use proptest::test_runner::{Config, TestRunner};
use regex_lite::Regex;
use serde_json::Value;
use statemachine::config::{self, Problem};

/// Files that are written for each pattern.
const FILES_A_PATTERN: u32 = 100;

/// What no pattern says: names that have the right form and that somebody keeps for himself.
const KEPT: [&str; 7] = [
    "cannot begin with `internal`",
    "cannot be called `engine`",
    "is a reserved word of PostgreSQL",
    "is one that every cluster already has",
    "is reserved by Aurora PostgreSQL",
    "which S3 keeps for itself",
    "begins like the provisioner's own bucket",
];

/// A key of the file, by the keys that lead to it, with its schema.
type Key = (Vec<String>, Value);

/// Every key of the schema; the entries of `services` are called `web`.
fn keys() -> Vec<Key> {
    fn walk(schema: &Value, path: &[String], keys: &mut Vec<Key>) {
        let named = schema["properties"].as_object().into_iter().flatten();
        let any = schema.get("additionalProperties").filter(|schema| schema.is_object());
        let any = any.map(|schema| ("web".to_owned(), schema.clone()));
        for (key, schema) in named.map(|(key, schema)| (key.clone(), schema.clone())).chain(any) {
            let path = [path, &[key]].concat();
            walk(&schema, &path, keys);
            keys.push((path, schema));
        }
    }
    let mut keys = Vec::new();
    walk(&config::schema(), &[], &mut keys);
    assert!(keys.len() > 30, "{}", keys.len());
    keys
}

/// What is wrong with a good file when one of its keys has another value.
fn problems(path: &[String], value: impl Into<toml::Value>) -> Vec<Problem> {
    let file = "app = \"a\"\nenvironment = \"b\"\n[services.web]\nport = 80\n";
    let mut file: toml::Table = file.parse().expect("the good file is TOML");
    let (key, tables) = path.split_last().expect("a path has a key");
    let table = tables.iter().fold(&mut file, |table, key| {
        let inner = table.entry(key).or_insert_with(|| toml::Table::new().into());
        inner.as_table_mut().expect("only tables hold keys")
    });
    // Half a `scale` is none.
    if tables.last().is_some_and(|table| table == "scale") {
        table.insert("min".to_owned(), 1.into());
        table.insert("max".to_owned(), 5000.into());
    }
    table.insert(key.clone(), value.into());
    let text = toml::to_string(&file).expect("a table is TOML");
    config::parse(text.as_bytes(), "stepstack.toml").err().map(|errors| errors.0).unwrap_or_default()
}

/// Whether the schema alone takes `text`, as an editor decides it.
fn schema_takes(schema: &Value, text: &str) -> bool {
    let pattern = Regex::new(schema["pattern"].as_str().expect("a pattern")).expect("a pattern that is one");
    let length = text.chars().count() as u64;
    pattern.is_match(text)
        && schema["minLength"].as_u64().is_none_or(|least| length >= least)
        && schema["maxLength"].as_u64().is_none_or(|most| length <= most)
}

/// Texts that have the pattern, that nearly have it, and that have nothing to do with it.
fn texts(pattern: &str) -> impl Strategy<Value = String> + use<> {
    let good = || string_regex(pattern.trim_start_matches('^').trim_end_matches('$')).expect("a pattern");
    let near = (good(), any::<Index>(), "[a-zA-Z0-9 ._/:é-]{0,2}").prop_map(|(text, at, put)| {
        let mut characters: Vec<char> = text.chars().collect();
        let at = at.index(characters.len() + 1);
        let end = (at + 1).min(characters.len());
        characters.splice(at..end, put.chars());
        characters.into_iter().collect()
    });
    let long = (good(), 1_usize..80).prop_map(|(text, times)| text.repeat(times));
    prop_oneof![good(), near, long, "[a-z0-9._/ -]{0,8}"]
}

#[test]
fn every_pattern_takes_what_the_check_takes() {
    let mut patterns = Vec::new();
    for (path, schema) in keys() {
        if let Some(pattern) = schema["pattern"].as_str() {
            patterns.push((path.clone(), pattern.to_owned(), schema.clone(), None));
        }
        if let Some(pattern) = schema["propertyNames"]["pattern"].as_str() {
            let names = schema["propertyNames"].clone();
            patterns.push((path, pattern.to_owned(), names, Some(toml::Table::new())));
        }
    }
    assert!(patterns.len() >= 9, "{patterns:?}");
    for (path, pattern, schema, entry) in patterns {
        let mut runner = TestRunner::new(Config::with_cases(FILES_A_PATTERN));
        let agrees = |text: String| {
            let problems = match &entry {
                None => problems(&path, text.clone()),
                Some(entry) => {
                    problems(&[path.as_slice(), std::slice::from_ref(&text)].concat(), entry.clone())
                }
            };
            let of_form: Vec<&Problem> = problems
                .iter()
                .filter(|problem| !KEPT.iter().any(|kept| problem.message.contains(kept)))
                .collect();
            let taken = schema_takes(&schema, &text);
            prop_assert_eq!(taken, of_form.is_empty(), "{:?}: {} by {}", path, text, pattern);
            Ok(())
        };
        runner.run(&texts(&pattern), agrees).unwrap_or_else(|error| panic!("{error}"));
    }
}

#[test]
fn every_range_ends_where_the_check_ends() {
    let mut ranges = 0;
    for (path, schema) in keys() {
        let (Some(least), Some(most)) = (schema["minimum"].as_f64(), schema["maximum"].as_f64()) else {
            continue;
        };
        ranges += 1;
        let step = schema["multipleOf"].as_f64().unwrap_or(1.0);
        for (number, taken) in [(least - step, false), (least, true), (most, true), (most + step, false)] {
            #[expect(clippy::cast_possible_truncation, reason = "ranges end far below 2^52")]
            let value = match schema["type"].as_str() {
                Some("integer") => toml::Value::from(number as i64),
                _ => toml::Value::from(number),
            };
            let problems = problems(&path, value);
            let is_of_range = |problem: &Problem| problem.message.contains("must be from");
            assert_eq!(!problems.iter().any(is_of_range), taken, "{path:?} = {number}: {problems:?}");
            // Serde's own words have no help: a type that holds less than its range says.
            assert!(problems.iter().all(|problem| problem.help.is_some()), "{path:?}: {problems:?}");
        }
    }
    assert!(ranges >= 12, "{ranges}");
}

#[test]
fn every_choice_is_one() {
    for (path, schema) in keys() {
        for choice in schema["enum"].as_array().into_iter().flatten() {
            let value = toml::Value::try_from(choice).expect("a choice is text or a number");
            assert_eq!(problems(&path, value), [], "{path:?} = {choice}");
        }
    }
}

/// The VPC's sizes and the names' lengths stand in the descriptions as text.
#[test]
fn descriptions_name_the_limits() {
    let mut names = 0;
    for (path, schema) in keys() {
        let description = schema["description"].as_str().unwrap_or_default().to_lowercase();
        let length = schema["maxLength"].as_u64().or(schema["propertyNames"]["maxLength"].as_u64());
        if let (Some(length), true) = (length, description.contains("at most")) {
            assert!(description.contains(&format!("at most {length} lower-case")), "{path:?}: {description}");
            names += 1;
        }
        if path == ["network", "cidr"] {
            assert!(description.contains("/16 to /26"), "{description}");
        }
    }
    assert_eq!(names, 3);
    let cidr = ["network".to_owned(), "cidr".to_owned()];
    let taken = [15, 16, 26, 27].map(|length| problems(&cidr, format!("10.0.0.0/{length}")).is_empty());
    assert_eq!(taken, [false, true, true, false]);
}
