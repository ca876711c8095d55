//! Whether a command goes on: at once, when somebody says yes, or not at all.

use crate::error::{CliError, Result};
use crate::show;

/// How a command comes by somebody's yes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Consent {
    /// It goes on unasked.
    Given,
    /// Somebody is to be asked.
    ToAsk,
    /// Nobody can be asked, and unasked it does nothing.
    Missing,
}

/// For what the next run can change back: it goes on where nobody can be asked. `yes` is what the command line
/// says, `can_ask` whether somebody is there to answer.
pub(super) fn to_change(yes: bool, can_ask: bool) -> Consent {
    if yes || !can_ask { Consent::Given } else { Consent::ToAsk }
}

/// For what cannot be taken back: it is not done unasked.
pub(super) fn to_remove(yes: bool, can_ask: bool) -> Consent {
    match (yes, can_ask) {
        (true, _) => Consent::Given,
        (false, true) => Consent::ToAsk,
        (false, false) => Consent::Missing,
    }
}

/// Asks; fails unless the answer is yes.
pub(super) fn agreed(question: &str) -> Result<()> {
    if show::confirm(question) {
        return Ok(());
    }
    Err(CliError::refused("Nothing was changed: the question was not answered with yes."))
}

/// Nobody can be asked about what is not done unasked.
pub(super) fn needs_yes(what: &str) -> CliError {
    CliError::usage(format!("{what} needs --yes when nobody can be asked."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_taken_back_goes_on_unasked_and_what_cannot_does_not() {
        use Consent::{Given, Missing, ToAsk};
        for (yes, can_ask, change, remove) in [
            (false, false, Given, Missing),
            (false, true, ToAsk, ToAsk),
            (true, false, Given, Given),
            (true, true, Given, Given),
        ] {
            assert_eq!(to_change(yes, can_ask), change, "{yes} {can_ask}");
            assert_eq!(to_remove(yes, can_ask), remove, "{yes} {can_ask}");
        }
    }
}
