//! The state machine's definition, `definition.asl.json`. It is made of [`crate::Stage`] by
//! `tests/definition/generate`, whose test holds the committed file against it.

use crate::Function;

/// The definition with its placeholders (`${Network}`) still in it. It is JSONPath throughout: that runs on
/// every interpreter.
pub const DEFINITION: &str = include_str!("../definition.asl.json");

/// The functions that the definition calls; each is a placeholder in it, filled with a version's ARN.
pub const FUNCTIONS: [&str; Function::ALL.len()] = {
    let mut names = [""; Function::ALL.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = Function::ALL[at].name();
        at += 1;
    }
    names
};

/// The definition with every placeholder filled in. `arn` gives the ARN of a function's version.
pub fn definition(arn: impl Fn(&str) -> String) -> String {
    FUNCTIONS.iter().fold(DEFINITION.to_owned(), |text, function| {
        text.replace(&format!("${{{}}}", placeholder(function)), &arn(function))
    })
}

/// `${Network}` of `network`.
fn placeholder(function: &str) -> String {
    let mut letters = function.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}
