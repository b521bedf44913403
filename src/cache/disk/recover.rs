//! What is in the store, at its opening: indexes of sealed segments are read, the one that was written is scanned.

use super::index::{Index, Slot};
use super::log::Log;
use super::place::Place;
use super::record::Kind;
use super::segment::{HEAD_BYTES, Holds, Item, decode_head};
use std::io;
use std::path::Path;

/// Fills `index` and makes `log` ready to be written. Gives the highest generation of any record.
pub(super) fn recover(log: &mut Log, index: &Index, path: &Path, now_ms: u64) -> u64 {
    let mut lives = lives(log, path);
    lives.sort_unstable();
    log.next_turn = lives.last().map_or(1, |(turn, _)| turn + 1);
    // One is always free, so that records can be kept when the next one is reclaimed.
    if log.turns.iter().all(|&turn| turn != 0) && !lives.is_empty() {
        let (_, oldest) = lives.remove(0);
        log.turns[oldest as usize] = 0;
    }
    let newest = lives.last().map(|(_, segment)| *segment);
    let mut generation = 0;
    for (turn, segment) in lives {
        match log.holds(segment, turn) {
            Ok(Some((holds, sealed))) => {
                generation = holds.items.iter().map(|item| item.born).fold(generation, u64::max);
                holds.items.iter().for_each(|item| apply(index, segment, turn, item, now_ms));
                keep(log, segment, holds, sealed, newest == Some(segment));
            }
            // It stays taken until its turn to be reclaimed.
            Ok(None) => {
                tracing::error!(path = %path.display(), segment, "a segment of the cache's disk tier is damaged")
            }
            Err(error) => unreadable(path, segment, &error),
        }
    }
    generation
}

/// The turns of all segments that have one, and their segments.
fn lives(log: &mut Log, path: &Path) -> Vec<(u64, u32)> {
    let mut lives = Vec::new();
    for segment in 0..log.turns.len() as u32 {
        let mut head = [0; HEAD_BYTES];
        let read = log.medium.read(&mut head, u64::from(segment) * u64::from(log.segment_bytes));
        let turn = match read.map(|()| decode_head(&head, log.seed)) {
            Ok(Some((turn, _))) => Some(turn),
            Ok(None) => log.turn_of_index(segment),
            Err(error) => {
                unreadable(path, segment, &error);
                None
            }
        };
        if let Some(turn) = turn.filter(|&turn| turn != 0 && turn != u64::MAX) {
            log.turns[segment as usize] = turn;
            lives.push((turn, segment));
        }
    }
    lives
}

fn unreadable(path: &Path, segment: u32, error: &io::Error) {
    tracing::error!(path = %path.display(), segment, %error, "a segment of the cache's disk tier cannot be read");
}

/// Later records replace earlier ones, also by one that is of no use any more.
fn apply(index: &Index, segment: u32, turn: u64, item: &Item, now_ms: u64) {
    match item.kind {
        Kind::Stored if item.expires_ms > now_ms => {
            let place = Place::new(segment, item.at, item.len);
            index.put(Slot::new(item.hash, item.variant, item.born, item.expires_ms, place, turn));
        }
        Kind::Stored | Kind::Removed => drop(index.remove(item.hash, Some(item.variant))),
        Kind::RemovedAll => drop(index.remove(item.hash, None)),
    }
}

/// The newest segment is written on, if it was not full; another one without an index gets one.
fn keep(log: &mut Log, segment: u32, holds: Holds, sealed: bool, newest: bool) {
    if sealed {
        return;
    }
    if newest {
        log.active = Some((segment, holds));
    } else if let Err(error) = log.write_index(segment, &holds) {
        tracing::warn!(segment, %error, "the index of a segment could not be written");
    }
}
