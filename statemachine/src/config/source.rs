//! The file's text, and where in it things stand.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{Errors, Problem, Snippet};
use super::template;
use super::words::{clean, printable};

/// The largest file that is read, in bytes. A large stack needs a hundredth of it.
pub const MAX_FILE_BYTES: usize = 1024 * 1024;

/// Problems that are told at once; more do not help.
const TOLD_AT_ONCE: usize = 50;
/// Characters of a line that are shown at most.
const SHOWN_LINE: usize = 120;
/// Characters before the mark that are kept when a line is cut.
const SHOWN_BEFORE_MARK: usize = 40;
/// Characters of the offending text that are kept.
const SHOWN_TEXT: usize = 80;

/// A readable TOML file.
pub(super) struct Source<'a> {
    file_name: &'a str,
    /// The whole file.
    pub(super) text: &'a str,
    /// The file as tables and values, each with its place.
    pub(super) root: Spanned<DeTable<'a>>,
}

/// Something wrong, before its line is looked up: a bad file may have tens of thousands.
pub(super) struct Fault {
    pub(super) span: Option<Range<usize>>,
    pub(super) message: String,
    pub(super) help: Option<String>,
}

/// A thing in the file: the keys that lead to it; an index of an array is its number.
pub(super) type Path<'p> = &'p [&'p str];

/// Which part of `key = value` is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The key.
    Key,
    /// The value; of a table, still its key, since its value may be many lines.
    Value,
}

impl<'a> Source<'a> {
    /// Fails on a file that is too large, empty, not UTF-8 or not TOML.
    pub(super) fn read(bytes: &'a [u8], file_name: &'a str) -> Result<Self, Errors> {
        let whole_file =
            |message: String, help: String| Errors(vec![Problem::of_file(file_name, message, help)]);
        if bytes.len() > MAX_FILE_BYTES {
            return Err(whole_file(
                format!(
                    "the file is {} bytes long; a configuration has at most {MAX_FILE_BYTES} (1 MiB)",
                    bytes.len()
                ),
                "check that this is the configuration and not another file".to_owned(),
            ));
        }
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let offset = error.valid_up_to();
            let before = &bytes[..offset];
            let line_number = 1 + String::from_utf8_lossy(before).matches('\n').count();
            whole_file(
                format!(
                    "the file is not UTF-8: line {line_number} holds the byte 0x{:02X} at offset {offset}",
                    bytes[offset]
                ),
                "save the file with the encoding UTF-8".to_owned(),
            )
        })?;
        if text.trim_start_matches('\u{feff}').trim().is_empty() {
            return Err(whole_file(
                "the file is empty".to_owned(),
                format!(
                    "`stepstack init` writes a first one; it looks like this:\n\n{}",
                    template::indented("my-app", "production")
                ),
            ));
        }
        match DeTable::parse(text) {
            Ok(root) => Ok(Self { file_name, text, root }),
            Err(error) => Err(Errors(vec![syntax_problem(file_name, text, &error)])),
        }
    }

    /// Something wrong at `path`, or at what of it the file holds, or with the whole file.
    pub(super) fn fault(&self, path: Path<'_>, part: Part, message: String, help: String) -> Fault {
        Fault { span: self.locate(path, part), message, help: Some(help) }
    }

    /// Fails with the faults, if there are any.
    pub(super) fn without(&self, faults: Vec<Fault>) -> Result<(), Errors> {
        if faults.is_empty() { Ok(()) } else { Err(self.errors(faults)) }
    }

    /// The first faults in the file's order, those of the whole file last.
    pub(super) fn errors(&self, mut faults: Vec<Fault>) -> Errors {
        faults.sort_by_key(|fault| fault.span.as_ref().map_or(usize::MAX, |span| span.start));
        let more = faults.len().saturating_sub(TOLD_AT_ONCE);
        faults.truncate(TOLD_AT_ONCE);
        let mut problems: Vec<Problem> =
            faults.into_iter().map(|fault| problem(self.file_name, self.text, fault)).collect();
        if more > 0 {
            let message = format!("and {more} more problems");
            problems.push(Problem::of_file(self.file_name, message, "mend these first".to_owned()));
        }
        Errors(problems)
    }

    /// Whether a person wrote what `path` leads to, and no default took its place.
    pub(super) fn holds(&self, path: Path<'_>) -> bool {
        self.find(path).is_some_and(|found| found.depth == path.len())
    }

    /// Bytes of the deepest part of `path` that the file holds.
    fn locate(&self, path: Path<'_>, part: Part) -> Option<Range<usize>> {
        let Found { key, value, depth } = self.find(path)?;
        let found_whole_path = depth == path.len();
        let is_table = matches!(value.get_ref(), DeValue::Table(_));
        let wants_key = part == Part::Key && found_whole_path;
        Some(if wants_key || is_table || !found_whole_path { key } else { value.span() })
    }

    /// The deepest part of `path` that the file holds.
    fn find(&self, path: Path<'_>) -> Option<Found<'_>> {
        let (first, rest) = path.split_first()?;
        let (key, value) = self.root.get_ref().get_key_value(*first)?;
        let mut found = Found { key: key.span(), value, depth: 1 };
        for segment in rest {
            let next = match found.value.get_ref() {
                DeValue::Table(table) => {
                    table.get_key_value(*segment).map(|(key, value)| (key.span(), value))
                }
                DeValue::Array(array) => {
                    segment.parse().ok().and_then(|i: usize| array.get(i)).map(|value| (value.span(), value))
                }
                DeValue::String(_)
                | DeValue::Integer(_)
                | DeValue::Float(_)
                | DeValue::Boolean(_)
                | DeValue::Datetime(_) => None,
            };
            let Some((key, value)) = next else { break };
            found = Found { key, value, depth: found.depth + 1 };
        }
        Some(found)
    }
}

/// A part of a path that the file holds.
struct Found<'s> {
    /// Bytes of its key; of an entry of a list, of the entry.
    key: Range<usize>,
    value: &'s Spanned<DeValue<'s>>,
    /// How many segments of the path lead to it.
    depth: usize,
}

fn syntax_problem(file_name: &str, text: &str, error: &toml::de::Error) -> Problem {
    let message = error.message();
    let span = error.span().unwrap_or(0..0);
    let help = if message.contains("duplicate key") {
        "keep one of the two"
    } else if message.contains("recurs") {
        "a configuration is at most five levels deep"
    } else {
        "this is not TOML: a line is `[table]`, `key = value` or `# comment`, and text stands in quotes"
    };
    let message = clean(&message.replace('\n', ", "), 200);
    problem(file_name, text, Fault { span: Some(span), message, help: Some(help.to_owned()) })
}

fn problem(file_name: &str, text: &str, Fault { span, message, help }: Fault) -> Problem {
    let whole_file = Problem::of_file(file_name, message, help);
    let Some(span) = span else { return whole_file };
    let start = floor_to_character(text, span.start);
    let end = floor_to_character(text, span.end).max(start);
    let line_start = text[..start].rfind('\n').map_or(0, |i| i + 1);
    let line_end = text[start..].find('\n').map_or(text.len(), |i| start + i);
    let line_number = 1 + text[..line_start].matches('\n').count();
    let column = text[line_start..start].chars().count();

    let whole_line = text[line_start..line_end].trim_end_matches('\r');
    let hidden_from = environment_value(text, line_start, whole_line);
    let line = match hidden_from {
        Some(offset) => format!("{}= …", &whole_line[..offset]),
        None => whole_line.to_owned(),
    };
    let is_hidden = hidden_from.is_some_and(|offset| start > line_start + offset);
    let marked_end = end.min(line_end);
    let length = text[start..marked_end].chars().count();
    Problem {
        line: Some(line_number),
        column: Some(column + 1),
        span: Some(start..end),
        text: if is_hidden { String::new() } else { clean(text[start..marked_end].trim_end(), SHOWN_TEXT) },
        snippet: Some(snippet(&line, column, length)),
        ..whole_file
    }
}

/// The part of `line` around the mark.
fn snippet(line: &str, column: usize, length: usize) -> Snippet {
    let characters: Vec<char> = line.chars().map(printable).collect();
    let column = column.min(characters.len());
    let from = if characters.len() > SHOWN_LINE { column.saturating_sub(SHOWN_BEFORE_MARK) } else { 0 };
    let to = characters.len().min(from + SHOWN_LINE);
    let mut shown = String::new();
    let mut mark_start = column - from;
    if from > 0 {
        shown.push('…');
        mark_start += 1;
    }
    shown.extend(&characters[from..to]);
    if to < characters.len() {
        shown.push('…');
    }
    let mark_length = length.min(to.saturating_sub(column)).max(1);
    Snippet { line: shown.trim_end().to_owned(), mark_start, mark_length }
}

/// Where in `line` its first `=` stands, if the line sets environment variables.
///
/// Those values may be secrets in spite of all advice, and errors go into run records.
fn environment_value(text: &str, line_start: usize, line: &str) -> Option<usize> {
    let is_header = |line: &str| line.trim_start().starts_with('[');
    let last_header = text[..line_start].lines().rev().find(|line| is_header(line)).unwrap_or_default();
    let own = line.contains("environment") && (line.contains('{') || line.contains("environment."));
    if is_header(line) || !(own || last_header.contains(".environment")) {
        return None;
    }
    line.find('=')
}

fn floor_to_character(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}
