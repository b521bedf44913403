//! What is kept of the fleet for the next process: up to which purge the disks of this one are purged.

use super::Hands;
use super::beat::Place;
use crate::cache::purge::{Mode, What};
use crate::live::{Purge, StateFile};
use serde::{Deserialize, Serialize};

/// Its file in `[server] state`.
static FILE: StateFile = StateFile { name: "fleet", version: 1, bytes_max: 64 * 1024 };

/// Its content, as JSON.
#[derive(Deserialize, Serialize)]
struct Kept {
    /// The name of the fleet.
    fleet: String,
    /// `None`: something is not purged that should be.
    place: Option<Place>,
    /// Of the disks that are purged up to there.
    disks: Vec<String>,
}

/// Keeps where this member is, with the disks that there are now; or that nobody knows.
pub(super) fn keep(hands: &Hands, fleet: &str, place: Option<&Place>) {
    let disks = (hands.disks)().into_iter().map(|(_, id)| id).collect();
    let kept = Kept { fleet: fleet.into(), place: place.cloned(), disks };
    if let Ok(content) = serde_json::to_vec(&kept) {
        hands.state.keep(&FILE, content);
    }
}

/// Where the last process of this member was, and what is to be purged for that to hold of all disks. May wait for the disk.
pub(super) fn last(hands: &Hands, fleet: &str) -> Option<(Place, Vec<Purge>)> {
    let content = match hands.state.read(&FILE) {
        Ok(kept) => kept?.content,
        Err(error) => {
            tracing::warn!(%error, "it is not known which purges of the fleet were done");
            return None;
        }
    };
    let Ok(kept) = serde_json::from_slice::<Kept>(&content) else {
        hands.state.set_aside(&FILE, "it does not say how far its purges are");
        return None;
    };
    let place = kept.place.filter(|_| kept.fleet == fleet)?;
    let others = (hands.disks)().into_iter().filter(|(_, id)| !kept.disks.contains(id));
    Some((
        place,
        others.map(|(cache, _)| Purge { cache: Some(cache), what: vec![What::All], mode: Mode::Hard }).collect(),
    ))
}
