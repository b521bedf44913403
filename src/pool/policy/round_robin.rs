use super::{Look, View};

/// Smooth weighted round robin: each pick raises every candidate by its weight, takes the highest, and lowers it by the
/// sum; shares are exact over a cycle and never bunched (Igor Sysoev, nginx 1.3.1). Where all weights are equal that is a
/// rotation, and is done as one.
#[derive(Debug)]
pub(super) struct RoundRobin {
    /// By how many picks the cycle is shifted when it begins.
    start: usize,
    /// Of the rotation.
    turn: usize,
    /// By the place in the view's list.
    current: Vec<i64>,
    began: bool,
}

impl RoundRobin {
    pub(super) fn new(start: usize) -> RoundRobin {
        RoundRobin { start, turn: start, current: Vec::new(), began: false }
    }

    /// The rotation goes on where it was; a cycle by weight begins anew only if there are other backends.
    pub(super) fn refresh(&mut self, view: &View) {
        let len = view.usable().len();
        if self.current.len() != len {
            self.current.clear();
            self.current.resize(len, 0);
        }
        if !std::mem::replace(&mut self.began, true) && !view.is_equal() {
            for _ in 0..self.start % len.max(1) {
                let _ = self.smooth(view, |_| true);
            }
        }
    }

    pub(super) fn pick(&mut self, view: &View, look: &impl Look) -> Option<usize> {
        match view.is_equal() {
            true => self.rotate(view, |at| look.may(at)),
            false => self.smooth(view, |at| look.may(at)),
        }
    }

    fn rotate(&mut self, view: &View, may: impl Fn(usize) -> bool) -> Option<usize> {
        let usable = view.usable();
        for _ in 0..usable.len() {
            if self.turn >= usable.len() {
                self.turn %= usable.len();
            }
            let at = usable[self.turn] as usize;
            self.turn += 1;
            if may(at) {
                return Some(at);
            }
        }
        None
    }

    fn smooth(&mut self, view: &View, may: impl Fn(usize) -> bool) -> Option<usize> {
        let mut best: Option<(usize, i64)> = None;
        let mut sum = 0;
        for (place, current) in self.current.iter_mut().enumerate() {
            let at = view.usable()[place] as usize;
            if !may(at) {
                continue;
            }
            let weight = i64::from(view.weight(at));
            sum += weight;
            *current += weight;
            best = match best {
                Some((_, highest)) if highest >= *current => best,
                _ => Some((place, *current)),
            };
        }
        let (place, _) = best?;
        self.current[place] -= sum;
        Some(view.usable()[place] as usize)
    }
}
