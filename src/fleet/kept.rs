//! What is kept of the fleet for the next process, as JSON: up to which purge the disks of this one are purged.

use super::Hands;
use super::beat::Place;
use crate::cache::purge::{Mode, What};
use crate::live::{Purge, StateFile};
use serde_json::{Value, json};

/// Its file in `[server] state`.
static FILE: StateFile = StateFile { name: "fleet", version: 1, bytes_max: 64 * 1024 };

/// Keeps where this member is, with the disks that there are now; or that nobody knows.
pub(super) fn keep(hands: &Hands, fleet: &str, place: Option<&Place>) {
    let disks: Vec<_> = (hands.disks)().into_iter().map(|(_, id)| id).collect();
    let place = place.map(|Place { epoch, number, id }| json!({ "epoch": epoch, "number": number, "id": id }));
    let kept = json!({ "fleet": fleet, "place": place, "disks": disks });
    hands.state.keep(&FILE, kept.to_string().into_bytes());
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
    let Some((place, disks)) = serde_json::from_slice(&content).ok().and_then(|kept| read(&kept, fleet)) else {
        hands.state.set_aside(&FILE, "it does not say how far its purges are");
        return None;
    };
    let others = (hands.disks)().into_iter().filter(|(_, id)| !disks.contains(id));
    let purge = |(cache, _)| Purge { cache: Some(cache), what: vec![What::All], mode: Mode::Hard };
    Some((place?, others.map(purge).collect()))
}

/// Where a process of that fleet was, if that is known, and for which disks; `None`: it makes no sense.
fn read(kept: &Value, fleet: &str) -> Option<(Option<Place>, Vec<String>)> {
    let text = |value: &Value| Some(value.as_str()?.to_owned());
    let disks = kept["disks"].as_array()?.iter().map(text).collect::<Option<_>>()?;
    let place = match &kept["place"] {
        Value::Null => None,
        place => {
            Some(Place { epoch: text(&place["epoch"])?, number: place["number"].as_u64()?, id: text(&place["id"])? })
        }
    };
    Some((place.filter(|_| kept["fleet"] == fleet), disks))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_of_one_fleet_and_may_say_that_nobody_knows() {
        let of = |text: &str| read(&serde_json::from_str(text).unwrap(), "shop");
        let place = Place { epoch: "e".into(), number: 7, id: "a-1".into() };
        let disks = vec!["d".to_owned()];
        let text = r#"{"fleet": "FLEET", "place": {"epoch": "e", "number": 7, "id": "a-1"}, "disks": ["d"]}"#;
        assert_eq!(of(&text.replace("FLEET", "shop")), Some((Some(place), disks.clone())));
        assert_eq!(of(&text.replace("FLEET", "other")), Some((None, disks.clone())));
        assert_eq!(of(r#"{"fleet": "shop", "place": null, "disks": ["d"]}"#), Some((None, disks)));
        for wrong in [r"{}", r#"{"disks": [1]}"#, r#"{"fleet": "shop", "place": {"epoch": "e"}, "disks": []}"#] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }
}
