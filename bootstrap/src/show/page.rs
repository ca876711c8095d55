//! Where text goes, and how it is fitted to it.

use std::io::IsTerminal as _;

use owo_colors::{OwoColorize as _, Style};

/// Width of lines that no terminal shows, in characters.
const WIDTH: usize = 100;
/// Lines of a terminal that does not say how many it has.
const HEIGHT: usize = 24;

/// Where text goes. What is rendered depends on this, the record and the time given, and on nothing else.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// How many characters a line may have.
    pub width: usize,
    /// How many lines can be seen at once.
    pub height: usize,
    /// Whether text may have colours.
    pub colours: bool,
}

impl Page {
    /// A page without colours: a file, a log.
    pub fn plain(width: usize) -> Self {
        Self { width, height: HEIGHT, colours: false }
    }

    /// Standard output as it is now.
    pub(crate) fn stdout() -> Self {
        Self::of(std::io::stdout().is_terminal())
    }

    /// Standard error as it is now.
    pub(crate) fn stderr() -> Self {
        Self::of(std::io::stderr().is_terminal())
    }

    fn of(is_terminal: bool) -> Self {
        let size = terminal_size::terminal_size().filter(|_| is_terminal);
        let (width, height) =
            size.map_or((WIDTH, HEIGHT), |(width, height)| (usize::from(width.0), usize::from(height.0)));
        Self {
            width: width.clamp(40, 160),
            height: height.max(8),
            colours: is_terminal && !forbids_colours(),
        }
    }

    /// A text in a style, where colours are on.
    pub(crate) fn paint(self, text: &str, style: Style) -> String {
        if self.colours { text.style(style).to_string() } else { text.to_owned() }
    }

    /// The text broken into lines that fit, each after `indent` spaces.
    pub(crate) fn fit(self, text: &str, indent: usize) -> Vec<String> {
        self.hang(&" ".repeat(indent), text)
    }

    /// The same with `head` before the first line, and the others below its end.
    pub(crate) fn hang(self, head: &str, text: &str) -> Vec<String> {
        let indent = head.chars().count();
        let mut lines = wrap(text, self.width.saturating_sub(indent).max(20)).into_iter();
        let first = format!("{head}{}", lines.next().unwrap_or_default()).trim_end().to_owned();
        let rest = lines.map(|line| format!("{:indent$}{line}", "").trim_end().to_owned());
        std::iter::once(first).chain(rest).collect()
    }
}

/// Whether the environment asks for text without colours (<https://no-color.org>).
fn forbids_colours() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// Breaks a text into lines of at most `width` characters at spaces. Indented lines are left as they are: they
/// are to be copied. A longer word stands by itself, whole, and so does what is in backticks.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        if paragraph.starts_with("  ") {
            lines.push(paragraph.to_owned());
            continue;
        }
        let mut line = String::new();
        for word in words(paragraph) {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines
}

/// The words of a line; what is in backticks is one word, as it is to be typed.
fn words(text: &str) -> Vec<&str> {
    let (mut words, mut from, mut quoted) = (Vec::new(), 0, false);
    // A backtick without its partner quotes nothing.
    let pairs = text.matches('`').count().is_multiple_of(2);
    for (at, character) in text.char_indices() {
        match character {
            '`' => quoted = !quoted && pairs,
            ' ' if !quoted => {
                words.push(&text[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    words.push(&text[from..]);
    words
}

/// Breaks a text into pieces of exactly `width` characters, and the rest: for what has no spaces.
pub(crate) fn chop(text: &str, width: usize) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    characters.chunks(width.max(1)).map(|chunk| chunk.iter().collect()).collect()
}

/// Cut at a width, with an ellipsis.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

/// `0.4 s`, `1 m 05 s`, `2 h 03 m`.
pub(crate) fn duration(ms: u64) -> String {
    match ms {
        0..60_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        60_000..3_600_000 => format!("{} m {:02} s", ms / 60_000, ms % 60_000 / 1_000),
        _ => format!("{} h {:02} m", ms / 3_600_000, ms % 3_600_000 / 60_000),
    }
}

/// `2026-11-23 10:15:00 UTC` of RFC 3339; a text that is none stays as it is.
pub(crate) fn moment(at: &str) -> String {
    match at.parse::<jiff::Timestamp>() {
        Ok(at) => at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        Err(_) => at.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_at_spaces_and_never_inside_what_is_to_be_copied() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("see https://example.com/long now", 8), ["see", "https://example.com/long", "now"]);
        assert_eq!(wrap("so:\n  a command that is long", 8), ["so:", "  a command that is long"]);
        assert_eq!(wrap("say `a b` now", 6), ["say", "`a b`", "now"]);
        assert_eq!(wrap("a ` b c", 3), ["a `", "b c"]);
        assert_eq!(Page::plain(40).hang("  1. ", "one"), ["  1. one"]);
    }

    #[test]
    fn times_are_short() {
        let times = [0, 59_999, 60_000, 3_599_999, 3_600_000, 7_380_000].map(duration);
        assert_eq!(times, ["0.0 s", "59.9 s", "1 m 00 s", "59 m 59 s", "1 h 00 m", "2 h 03 m"]);
        assert_eq!(moment("2026-11-23T10:15:00.25Z"), "2026-11-23 10:15:00 UTC");
    }
}
