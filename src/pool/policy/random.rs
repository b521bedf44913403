use super::{Look, View, next_random};

/// Draws by weight; when those drawn may not be picked, takes the next that may.
pub(super) fn pick(view: &View, look: &impl Look, mut random: u64) -> Option<usize> {
    for _ in 0..DRAWS {
        let at = view.draw(next_random(&mut random))?;
        if look.may(at) {
            return Some(at);
        }
    }
    view.scan(next_random(&mut random), |at| look.may(at))
}

/// Draws before the rest is looked through.
const DRAWS: u32 = 4;
