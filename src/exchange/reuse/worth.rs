//! What becomes of a fetch that nobody waits for any more.

use crate::http::Length;

/// Whether a response that nobody waits for is fetched to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Worth {
    /// It is: what is to come is known and small, or less than what came.
    Finished,
    /// Who left had enough, and did not give up: taken for a small one until it is not.
    FinishedIfServed,
    /// It is not.
    GivenUp,
}

impl Worth {
    /// Of a response that can be stored, of which so much came.
    pub(super) fn of(length: Length, taken: u64) -> Worth {
        let left = match length {
            Length::Known(all) => all.saturating_sub(taken),
            _ if taken <= SMALL_BYTES_MAX => return Worth::FinishedIfServed,
            _ => return Worth::GivenUp,
        };
        if left <= SMALL_BYTES_MAX || left <= taken { Worth::Finished } else { Worth::GivenUp }
    }

    /// `served`: one who left had enough.
    pub(super) fn is_finished(self, served: bool) -> bool {
        match self {
            Worth::Finished => true,
            Worth::FinishedIfServed => served,
            Worth::GivenUp => false,
        }
    }
}

/// So many bytes are soon fetched.
const SMALL_BYTES_MAX: u64 = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_fetched_to_its_end_is_known_to_be_small_or_came_for_the_most_part() {
        const MIB: u64 = SMALL_BYTES_MAX;
        for (length, taken, expected) in [
            (Length::Known(MIB), 0, Worth::Finished),
            (Length::Known(MIB + 1), 0, Worth::GivenUp),
            (Length::Known(MIB + 1), 1, Worth::Finished),
            (Length::Known(10 * MIB), 5 * MIB - 1, Worth::GivenUp),
            (Length::Known(10 * MIB), 5 * MIB, Worth::Finished),
            (Length::Unknown, 0, Worth::FinishedIfServed),
            (Length::Unknown, MIB, Worth::FinishedIfServed),
            (Length::Unknown, MIB + 1, Worth::GivenUp),
        ] {
            assert_eq!(Worth::of(length, taken), expected, "{length:?} {taken}");
        }
    }
}
