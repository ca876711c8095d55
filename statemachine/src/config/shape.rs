//! Whether a file has the shape that its schema describes: keys, types, ranges, choices.
//!
//! Reading through serde stops at the first mistake and names a type, not a key. This walks the file beside
//! the schema that is generated from the same types, and says everything at once, in the file's words.

use serde_json::{Map, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::Errors;
use super::source::{Fault, Part, Source};
use super::words::{
    clean_word, dotted, example, expected_words, found_words, is_no_way_out, near, plural, quoted, text,
    without_full_stop,
};
use super::{schema, template};

/// Fails on every unknown key, missing key, wrong type and value out of range.
pub(super) fn check(source: &Source<'_>) -> Result<(), Errors> {
    let schema = schema::schema();
    let mut walk = Walk { source, schema: &schema, faults: Vec::new() };
    walk.table(&schema, source.root.get_ref(), &[]);
    source.without(walk.faults)
}

struct Walk<'s> {
    source: &'s Source<'s>,
    /// Of the whole file.
    schema: &'s Value,
    faults: Vec<Fault>,
}

impl Walk<'_> {
    fn fault(&mut self, path: &[&str], part: Part, message: String, help: String) {
        self.faults.push(self.source.fault(path, part, message, help));
    }

    fn table(&mut self, schema: &Value, table: &DeTable<'_>, path: &[&str]) {
        let known = schema["properties"].as_object();
        let mut meant = Vec::new();
        for (key, value) in table {
            let key: &str = key.get_ref();
            let path: Vec<&str> = path.iter().copied().chain([key]).collect();
            match known.and_then(|known| known.get(key)) {
                Some(schema) => self.value(schema, value, &path),
                None if schema["additionalProperties"].is_object() => {
                    self.value(&schema["additionalProperties"], value, &path);
                }
                None => meant.extend(self.unknown_key(known, key, &path)),
            }
        }
        let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
        // A required key that was only misspelt has been told of.
        let missing: Vec<&str> = required
            .filter(|key| !table.contains_key(*key) && !meant.iter().any(|meant| meant == key))
            .collect();
        if !missing.is_empty() {
            self.missing_keys(schema, &missing, path);
        }
    }

    /// Tells of it, and returns the key that was probably meant.
    fn unknown_key(
        &mut self,
        known: Option<&Map<String, Value>>,
        key: &str,
        path: &[&str],
    ) -> Option<String> {
        let parent = &path[..path.len() - 1];
        let place = match parent {
            [] => "at the top of the file".to_owned(),
            parent => format!("in `[{}]`", dotted(parent)),
        };
        let mut keys: Vec<&str> = known.into_iter().flatten().map(|(key, _)| key.as_str()).collect();
        // Whether a JSON map keeps its order is decided by whichever crate asks for it.
        keys.sort_unstable();
        let list = keys.join("`, `");
        let meant = near(key, &keys);
        let help = if let Some(near) = meant {
            format!("did you mean `{near}`?")
        } else if let Some(home) = self.home_of(key) {
            home
        } else {
            format!("known keys here: `{list}`")
        };
        self.fault(path, Part::Key, format!("unknown key {} {place}", quoted(key)), help);
        meant.map(str::to_owned)
    }

    /// Where a key belongs that stands in the wrong table.
    ///
    /// The usual mistake is a key of the top that was written below a table's header.
    fn home_of(&self, key: &str) -> Option<String> {
        let top = self.schema["properties"].as_object()?;
        if top.contains_key(key) {
            return Some(format!("`{key}` belongs at the top of the file, above the first `[table]`"));
        }
        top.iter().find_map(|(table, schema)| {
            if schema["properties"].get(key).is_some() {
                return Some(format!("`{key}` belongs in `[{table}]`"));
            }
            let of_each = &schema["additionalProperties"]["properties"];
            of_each.get(key).is_some().then(|| format!("`{key}` belongs in a service, `[{table}.NAME]`"))
        })
    }

    fn missing_keys(&mut self, schema: &Value, keys: &[&str], path: &[&str]) {
        let list = keys.join("` and `");
        let verb = if keys.len() == 1 { "is" } else { "are" };
        let place = if path.is_empty() { String::new() } else { format!(" in `{}`", dotted(path)) };
        let help = if path.is_empty() {
            format!("a configuration begins like this:\n\n{}", template::indented("my-app", "production"))
        } else {
            let description = schema["properties"][keys[0]]["description"].as_str().unwrap_or_default();
            format!("add `{} = …`: {}", keys[0], without_full_stop(description))
        };
        self.fault(path, Part::Key, format!("`{list}` {verb} missing{place}"), help);
    }

    fn value(&mut self, schema: &Value, value: &Spanned<DeValue<'_>>, path: &[&str]) {
        let expected = schema["type"].as_str().unwrap_or_default();
        match (expected, value.get_ref()) {
            ("object", DeValue::Table(table)) => self.table(schema, table, path),
            ("array", DeValue::Array(array)) => {
                self.array_length(schema, array.len(), path);
                for (index, item) in array.iter().enumerate() {
                    let index = index.to_string();
                    let path: Vec<&str> = path.iter().copied().chain([index.as_str()]).collect();
                    self.value(&schema["items"], item, &path);
                }
            }
            ("string", DeValue::String(text)) => self.choice(schema, &Value::from(text.as_ref()), path),
            ("boolean", DeValue::Boolean(_)) => {}
            ("integer" | "number", DeValue::Integer(integer)) => {
                match i64::from_str_radix(integer.as_str(), integer.radix()) {
                    Ok(integer) => {
                        #[expect(clippy::cast_precision_loss, reason = "ranges end far below 2^52")]
                        self.number(schema, integer as f64, &Value::from(integer), path);
                    }
                    Err(_) => self.number(schema, f64::INFINITY, &Value::Null, path),
                }
            }
            ("number", DeValue::Float(float)) => {
                // TOML writes 1_000.5; Rust reads no underscore.
                let number = float.as_str().replace('_', "").parse().unwrap_or(f64::NAN);
                self.number(schema, number, &Value::from(number), path);
            }
            (_, found) => self.wrong_type(schema, found, &self.source.text[value.span()], path),
        }
    }

    fn array_length(&mut self, schema: &Value, length: usize, path: &[&str]) {
        let least = schema["minItems"].as_u64();
        let most = schema["maxItems"].as_u64();
        let length = length as u64;
        if least.is_none_or(|least| length >= least) && most.is_none_or(|most| length <= most) {
            return;
        }
        let needed = match (least, most) {
            (Some(least), Some(most)) if least == most => format!("exactly {least}"),
            (Some(least), _) if length < least => format!("at least {least}"),
            (_, most) => format!("at most {}", most.unwrap_or_default()),
        };
        let description = schema["description"].as_str().unwrap_or_default();
        self.fault(
            path,
            Part::Value,
            format!(
                "`{}` has {length} {}; it needs {needed}",
                dotted(path),
                plural(length, "entry", "entries")
            ),
            without_full_stop(description).to_owned(),
        );
    }

    fn number(&mut self, schema: &Value, number: f64, exact: &Value, path: &[&str]) {
        let least = schema["minimum"].as_f64().unwrap_or(f64::MIN);
        let most = schema["maximum"].as_f64().unwrap_or(f64::MAX);
        if !(number >= least && number <= most) {
            self.fault(
                path,
                Part::Value,
                format!("`{}` must be from {least} to {most}", dotted(path)),
                without_full_stop(schema["description"].as_str().unwrap_or_default()).to_owned(),
            );
        } else if let Some(step) = schema["multipleOf"].as_f64()
            && number % step != 0.0
        {
            let below = (number / step).floor() * step;
            self.fault(
                path,
                Part::Value,
                format!("`{}` goes in steps of {step}", dotted(path)),
                format!("write {:?} or {:?}", below.max(least), below + step),
            );
        } else {
            self.choice(schema, exact, path);
        }
    }

    /// Fails on what is not one of the schema's choices, where it has some.
    fn choice(&mut self, schema: &Value, value: &Value, path: &[&str]) {
        let Some(choices) = schema["enum"].as_array() else { return };
        if choices.contains(value) {
            return;
        }
        let list = choices.iter().map(text).collect::<Vec<_>>().join(", ");
        let message = format!("`{}` cannot be {}", dotted(path), quoted(&text(value)));
        // Left to itself, the list alone would not say why there is no such choice.
        if path == ["network", "egress"] && is_no_way_out(&text(value)) {
            return self.fault(
                path,
                Part::Value,
                "private tasks without a way out cannot start: they need ECR, Secrets Manager and CloudWatch"
                    .to_owned(),
                format!("choose one of {list}; `endpoints` reaches AWS alone, without the internet"),
            );
        }
        let words: Vec<&str> = choices.iter().filter_map(Value::as_str).collect();
        let help = match (near(&text(value), &words), value.as_u64()) {
            (Some(near), _) => format!("did you mean \"{near}\"? Choices: {list}"),
            (None, Some(number)) => {
                let next = choices.iter().filter_map(Value::as_u64).find(|choice| *choice >= number);
                match next {
                    Some(next) => format!("the next larger choice is {next}; choices: {list}"),
                    None => format!("choices: {list}"),
                }
            }
            (None, None) => format!("choices: {list}"),
        };
        self.fault(path, Part::Value, message, help);
    }

    fn wrong_type(&mut self, schema: &Value, found: &DeValue<'_>, raw: &str, path: &[&str]) {
        let expected = schema["type"].as_str().unwrap_or_default();
        let key = path.last().copied().unwrap_or_default();
        // An entry of a list has no key before it.
        let before = if key.parse::<usize>().is_ok() { String::new() } else { format!("{key} = ") };
        let message = format!(
            "`{}` must be {}, but this is {}",
            dotted(path),
            expected_words(expected),
            found_words(found)
        );
        // A value of the environment may be a secret, so no help repeats it.
        let raw = if path.contains(&"environment") { "…" } else { raw };
        let raw = quoted(raw);
        let raw = raw.trim_matches('`');
        let help = match (expected, found) {
            (
                "string",
                DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_),
            ) => {
                format!("put it in quotes: `{before}\"{raw}\"`")
            }
            ("integer" | "number" | "boolean", DeValue::String(text)) if !text.is_empty() => {
                let bare = raw.trim_matches(['"', '\'']);
                let fits = match expected {
                    "boolean" => matches!(bare, "true" | "false"),
                    _ => bare.parse::<f64>().is_ok(),
                };
                if fits {
                    format!("write it without quotes: `{before}{bare}`")
                } else {
                    example(expected, &before)
                }
            }
            ("array", DeValue::String(text)) => {
                let words: Vec<String> = match key {
                    "command" => {
                        text.split_whitespace().map(|word| format!("\"{}\"", clean_word(word))).collect()
                    }
                    _ => vec![raw.to_owned()],
                };
                format!("write it as a list: `{key} = [{}]`", words.join(", "))
            }
            ("object", DeValue::Array(_)) => {
                let several = schema["additionalProperties"]["type"] == "object";
                format!(
                    "write `[{}{}]`, with single brackets",
                    dotted(path),
                    if several { ".NAME" } else { "" }
                )
            }
            ("object", _) => {
                format!("write `[{}]` on a line of its own, and its keys below it", dotted(path))
            }
            (expected, _) => example(expected, &before),
        };
        self.fault(path, Part::Value, message, help);
    }
}
