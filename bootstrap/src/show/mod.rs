//! Everything that a person reads. No other module prints.
//!
//! What renders is pure: lines out of a record, a [`Page`] and, where time shows, the time.

mod change;
mod now;
mod page;
mod picture;
pub mod plan;
mod problems;
mod progress;
mod request;
mod result;
mod runs;
mod stages;
mod status;
mod table;
mod timeline;
mod told;
mod view;

use std::io::{IsTerminal as _, Write as _};

use owo_colors::Style;

pub use now::{DatabaseNow, Now, ServiceNow, now};
pub use page::Page;
pub use picture::picture;
pub use problems::problems;
pub use request::{parameters, record};
pub use result::result;
pub use runs::{Listed, runs};
pub use stages::stages;
pub use status::{Glance, status};
pub use timeline::timeline;
pub use told::Told;
pub use view::View;

pub(crate) use progress::{Above, Live, progress};
pub(crate) use result::waiting;
pub(crate) use table::table;

/// One line on standard output.
pub(crate) fn line(text: &str) {
    // A closed pipe is the reader's business.
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Lines on standard output.
pub(crate) fn lines(lines: &[String]) {
    for text in lines {
        line(text);
    }
}

/// One line on standard error.
pub(crate) fn note(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Lines on standard error.
pub(crate) fn notes(lines: &[String]) {
    for text in lines {
        note(text);
    }
}

/// A JSON document on standard output.
pub(crate) fn json(value: &impl serde::Serialize) {
    line(&serde_json::to_string_pretty(value).unwrap_or_default());
}

/// The public name of a value: `config-upload`.
pub(crate) fn word(value: impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// What stopped a command, and what to do about it. `word` begins it: `Error`, `Refused`.
pub fn failure(word: &str, message: &str, help: Option<&str>, page: Page) -> Vec<String> {
    let narrow = Page { width: page.width.saturating_sub(2), ..page };
    let mut lines = narrow.fit(&format!("{word}: {message}"), 0);
    for line in lines.iter_mut().skip(1) {
        *line = format!("  {line}");
    }
    if let Some(first) = lines.first_mut() {
        *first = first.replacen(word, &page.paint(word, Style::new().red().bold()), 1);
    }
    lines.extend(help.into_iter().flat_map(|help| page.hang("  → ", help)));
    lines
}

/// Asks a question with yes or no; `false` off a terminal.
pub(crate) fn confirm(question: &str) -> bool {
    can_ask() && dialoguer::Confirm::new().with_prompt(question).default(false).interact().unwrap_or(false)
}

/// Asks for a text to be typed.
pub(crate) fn typed(question: &str) -> String {
    dialoguer::Input::<String>::new()
        .with_prompt(question)
        .allow_empty(true)
        .interact_text()
        .unwrap_or_default()
}

/// Questions are asked only when somebody is there to answer.
pub(crate) fn can_ask() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}
