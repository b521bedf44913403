/// What the answer of an authorising backend means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The request may go on.
    Granted,
    /// It may not: the client gets the answer itself, which says what to do about it.
    Denied,
    /// It is none: nobody is let in by it, and the client is told nothing of it.
    Failed,
}

impl Answer {
    /// By its status. A redirect leads to where one logs in; 304 would be an answer to a condition, and none is asked.
    #[must_use]
    pub fn of(status: u16) -> Answer {
        match status {
            200..=299 => Answer::Granted,
            401 | 403 | 429 | 302 | 303 | 307 => Answer::Denied,
            _ => Answer::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_success_lets_in() {
        for status in 100..1000 {
            let wanted = match status {
                200..300 => Answer::Granted,
                302 | 303 | 307 | 401 | 403 | 429 => Answer::Denied,
                _ => Answer::Failed,
            };
            assert_eq!(Answer::of(status), wanted, "{status}");
        }
    }
}
