//! Waiting rooms on the page.

use super::RoomLook;
use super::exposition::Page;
use super::families::{self as f, Family};
use super::labels::TicketFault;

pub(super) fn rooms(looks: &[RoomLook], page: &mut Page<'_>) {
    each(page, looks, &f::ROOM_WAITING, |look| look.waiting.into());
    each(page, looks, &f::ROOM_CALLED, |look| look.called.into());
    each(page, looks, &f::ROOM_INSIDE, |look| look.inside.into());
    page.family(&f::ROOM_SHARED);
    for (look, is_shared) in looks.iter().filter_map(|look| Some((look, look.shared?))) {
        page.sample(&f::ROOM_SHARED, &[&look.room], u64::from(is_shared));
    }
    page.family(&f::ROOM_WAIT);
    for (look, seconds) in looks.iter().filter_map(|look| Some((look, look.wait_seconds?))) {
        page.sample(&f::ROOM_WAIT, &[&look.room], seconds);
    }
    each(page, looks, &f::ROOM_ENTERED, |look| look.entered);
    each(page, looks, &f::ROOM_QUEUED, |look| look.queued);
    each(page, looks, &f::ROOM_LEFT, |look| look.left);
    each(page, looks, &f::ROOM_TURNED_AWAY, |look| look.turned_away);
    page.family(&f::ROOM_REFUSED);
    for look in looks {
        for &why in TicketFault::ALL {
            page.sample(&f::ROOM_REFUSED, &[&look.room, why.label()], look.refused[why as usize]);
        }
    }
}

fn each(page: &mut Page<'_>, looks: &[RoomLook], family: &Family, read: fn(&RoomLook) -> u64) {
    page.family(family);
    for look in looks {
        page.sample(family, &[&look.room], read(look));
    }
}
