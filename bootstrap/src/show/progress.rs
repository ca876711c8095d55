//! What is drawn on standard error while something goes on: live lines on a terminal, plain ones elsewhere.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use statemachine::tick::now_ms;

use super::page::duration;
use super::picture::picture;
use super::told::Told;
use super::{Page, View, note};

/// One line that says what is being done.
pub(crate) struct Progress(Option<ProgressBar>);

/// A line that says what is being done; off a terminal, a line each time that changes.
pub(crate) fn progress(what: &str) -> Progress {
    if !std::io::stderr().is_terminal() {
        return Progress(None);
    }
    let took = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        let ms = u64::try_from(state.elapsed().as_millis()).unwrap_or(u64::MAX);
        let _ = write!(out, "{:>10}", duration(ms));
    };
    let style = ProgressStyle::with_template("{spinner} {wide_msg} {took}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner());
    let style = style.tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ ").with_key("took", took);
    let bar = ProgressBar::new_spinner().with_style(style).with_message(what.to_owned());
    bar.enable_steady_tick(Duration::from_millis(100));
    Progress(Some(bar))
}

impl Progress {
    /// Something else is being done now.
    pub(crate) fn say(&self, what: &str) {
        match &self.0 {
            Some(bar) => bar.set_message(what.to_owned()),
            None => note(what),
        }
    }

    /// It is over; the line goes.
    pub(crate) fn clear(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

/// A run as it goes. On a terminal its picture is drawn anew again and again; elsewhere a line is written for
/// each thing that happens.
pub(crate) struct Live {
    screen: Option<ProgressBar>,
    told: Told,
}

impl Live {
    pub(crate) fn new() -> Self {
        let screen = std::io::stderr().is_terminal().then(|| {
            let style =
                ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
            ProgressBar::new_spinner().with_style(style)
        });
        Self { screen, told: Told::default() }
    }

    /// A way to print above the live lines while somebody else draws them.
    pub(crate) fn above(&self) -> Above {
        Above(self.screen.clone())
    }

    /// Something is new.
    pub(crate) fn seen(&mut self, view: &View) {
        match &self.screen {
            Some(_) => self.draw(view),
            None => {
                for line in self.told.news(view, now_ms()) {
                    note(&line);
                }
            }
        }
    }

    /// Time has passed: what is live on a terminal is drawn anew.
    pub(crate) fn draw(&self, view: &View) {
        if let Some(screen) = &self.screen {
            screen.set_message(picture(view, now_ms(), Page::stderr()).join("\n"));
        }
    }

    /// Lines that stay, above the live ones.
    pub(crate) fn print(&self, lines: &[String]) {
        let print = || {
            for line in lines {
                note(line);
            }
        };
        self.above().print(print);
    }

    /// The live lines go; on a terminal the last picture stays.
    pub(crate) fn end(&self, view: Option<&View>) {
        if let Some(screen) = &self.screen {
            screen.finish_and_clear();
            for line in view.map(|view| picture(view, now_ms(), Page::stderr())).unwrap_or_default() {
                note(&line);
            }
        }
    }
}

/// Prints above live lines that are drawn elsewhere.
pub(crate) struct Above(Option<ProgressBar>);

impl Above {
    /// Lets the live lines go, prints, and draws them anew.
    pub(crate) fn print(&self, print: impl FnOnce()) {
        match &self.0 {
            Some(screen) => screen.suspend(print),
            None => print(),
        }
    }
}
