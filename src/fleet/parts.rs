//! What members share beside purges, each by itself: one that Redis refuses is left out for a while, and the others go on.

use super::FleetError;
use std::time::Duration;

/// One of those.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Limits,
    Leases,
    Rooms,
}

/// Which are left out.
#[derive(Default)]
pub(super) struct Parts([Option<Trouble>; 3]);

struct Trouble {
    why: String,
    /// When it is tried again.
    until: Duration,
}

impl Part {
    fn label(self) -> &'static str {
        match self {
            Part::Limits => "limits",
            Part::Leases => "registered backends",
            Part::Rooms => "waiting rooms",
        }
    }
}

impl Parts {
    /// Whether it is shared now, or tried.
    pub(super) fn has(&self, part: Part, now: Duration) -> bool {
        self.0[part as usize].as_ref().is_none_or(|trouble| trouble.until <= now)
    }

    /// What became of sharing it; `false`: it is left out from now on.
    ///
    /// # Errors
    /// That of the link, by which nothing can be shared.
    pub(super) fn note(&mut self, part: Part, told: Result<(), FleetError>, now: Duration) -> Result<bool, FleetError> {
        let (label, trouble) = (part.label(), &mut self.0[part as usize]);
        match told {
            Err(error) if error.is_of_link() => Err(error),
            Err(error) => {
                let why = error.to_string();
                if trouble.is_none() {
                    tracing::warn!(part = label, %why, "the fleet does not share it: Redis refuses");
                }
                *trouble = Some(Trouble { why, until: now + AGAIN_EACH });
                Ok(false)
            }
            Ok(()) => {
                if trouble.take().is_some() {
                    tracing::info!(part = label, "the fleet shares it again");
                }
                Ok(true)
            }
        }
    }

    /// What is left out, and why.
    pub(super) fn why(&self) -> Option<String> {
        let all = [Part::Limits, Part::Leases, Part::Rooms].into_iter().zip(&self.0);
        let why = |(part, trouble): (Part, &Option<Trouble>)| {
            trouble.as_ref().map(|Trouble { why, .. }| format!("{} are not shared: {why}", part.label()))
        };
        all.filter_map(why).reduce(|one, other| format!("{one}; {other}"))
    }
}

/// Between two tries of what is left out.
const AGAIN_EACH: Duration = Duration::from_secs(1);
