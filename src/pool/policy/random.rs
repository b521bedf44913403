use super::{Look, View, next_random};

/// Draws by weight; when those drawn may not be picked, takes the next that may.
pub(super) fn pick(view: &View, look: &impl Look, mut random: u64) -> Option<usize> {
    draw(view, &mut random, |at| look.may(at))
}

/// One of those that `may`, by weight.
pub(super) fn draw(view: &View, random: &mut u64, may: impl Fn(usize) -> bool) -> Option<usize> {
    for _ in 0..DRAWS {
        let at = view.draw(next_random(random))?;
        if may(at) {
            return Some(at);
        }
    }
    view.scan(next_random(random), may)
}

/// Draws before the rest is looked through.
const DRAWS: u32 = 4;
