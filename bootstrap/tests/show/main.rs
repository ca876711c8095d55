//! What a person sees, rendered by the code that the program uses: without colours, 80 and 120 characters wide,
//! at a fixed time.

mod errors;
mod history;
mod plan;
mod progress;
mod result;
mod status;
mod world;

use bootstrap::show::Page;

/// The same screen at both widths. A line may be longer than the page only where it is one word that is to be
/// copied, or the words of a log.
#[track_caller]
fn screens(render: impl Fn(Page) -> Vec<String>) -> String {
    let screen = |width: usize| {
        let lines = render(Page::plain(width));
        for line in &lines {
            let last = line.split(' ').next_back().unwrap_or_default();
            let is_whole = last.chars().count() > 30 || line.starts_with("    ");
            assert!(line.chars().count() <= width || is_whole, "{width} characters: {line}");
            assert!(!line.ends_with(' '), "no space at the end: {line:?}");
        }
        format!("{:─<width$}\n{}\n", format!("── {width} "), lines.join("\n"))
    };
    format!("{}{}", screen(80), screen(120))
}
