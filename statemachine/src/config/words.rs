//! The words of messages: how values, keys, types and choices are shown, and which known word was meant.

use serde_json::Value;
use toml::de::DeValue;

/// Characters of each line of a message.
const SHOWN_MESSAGE_LINE: usize = 400;

/// A value as it may stand in a message: in backticks, cut to a readable length, without control characters.
pub(super) fn quoted(value: &str) -> String {
    format!("`{}`", clean(value, 60))
}

/// `text` cut to `at_most` characters, on one line, without control characters.
pub(super) fn clean(text: &str, at_most: usize) -> String {
    let mut shown: String = text.chars().take(at_most).map(printable).collect();
    if text.chars().nth(at_most).is_some() {
        shown.push('…');
    }
    shown
}

/// A message or help, which may be of several lines.
pub(super) fn clean_lines(text: &str) -> String {
    text.lines().map(|line| clean(line, SHOWN_MESSAGE_LINE)).collect::<Vec<_>>().join("\n")
}

/// A file must not be able to write escape sequences to a terminal.
pub(super) fn printable(character: char) -> char {
    match character {
        '\t' => ' ',
        c if c.is_control() => '\u{fffd}',
        // These turn the direction of writing, so that a line reads other than it is.
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        c => c,
    }
}

pub(super) fn clean_word(word: &str) -> String {
    quoted(word).trim_matches('`').to_owned()
}

pub(super) fn example(expected: &str, before: &str) -> String {
    match expected {
        "string" => format!("write text in quotes: `{before}\"…\"`"),
        "boolean" => format!("write `{before}true` or `{before}false`"),
        "integer" => format!("write a whole number: `{before}1`"),
        "number" => format!("write a number: `{before}0.5`"),
        _ => format!("write a list: `{before}[\"…\"]`"),
    }
}

pub(super) fn expected_words(expected: &str) -> &'static str {
    match expected {
        "object" => "a table",
        "array" => "a list",
        "string" => "text",
        "boolean" => "true or false",
        "integer" => "a whole number",
        _ => "a number",
    }
}

pub(super) fn found_words(found: &DeValue<'_>) -> &'static str {
    match found {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(true) => "`true`",
        DeValue::Boolean(false) => "`false`",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

pub(super) fn is_no_way_out(value: &str) -> bool {
    matches!(value, "" | "none" | "no" | "off" | "false" | "private" | "isolated" | "closed")
}

/// A path as a person writes it: `services.api.command[1]`.
pub(super) fn dotted(path: &[&str]) -> String {
    let mut name = String::new();
    for segment in path {
        let segment = quoted(segment);
        let segment = segment.trim_matches('`');
        if segment.bytes().all(|byte| byte.is_ascii_digit()) && !name.is_empty() {
            name.push('[');
            name.push_str(segment);
            name.push(']');
        } else {
            if !name.is_empty() {
                name.push('.');
            }
            name.push_str(segment);
        }
    }
    name
}

/// The known word that was probably meant.
pub fn near<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    // The distance takes time and memory with the length, and a file may be a megabyte of one key.
    if word.len() > 64 {
        return None;
    }
    let plain = word.to_lowercase().replace('-', "_");
    let same = known.iter().find(|known| known.to_lowercase().replace('-', "_") == plain);
    let close = || {
        known
            .iter()
            .map(|known| (strsim::damerau_levenshtein(&plain, &known.to_lowercase()), *known))
            .filter(|(distance, known)| *distance <= (known.len() / 3).clamp(1, 3))
            .min()
            .map(|(_, known)| known)
    };
    let begins = || {
        let mut those = known.iter().filter(|known| plain.len() >= 3 && known.starts_with(&plain));
        those.next().filter(|_| those.next().is_none()).copied()
    };
    same.copied().or_else(close).or_else(begins)
}

pub(super) fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

pub(super) fn without_full_stop(sentence: &str) -> &str {
    sentence.strip_suffix('.').unwrap_or(sentence)
}

pub(super) fn plural<'w>(count: u64, one: &'w str, many: &'w str) -> &'w str {
    if count == 1 { one } else { many }
}
