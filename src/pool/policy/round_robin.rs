use super::turns::Turns;
use super::{Look, View};

/// In turn, smoothly by weight. Where all weights are equal that is a rotation, and is done as one.
#[derive(Debug)]
pub(super) struct RoundRobin {
    /// Where the rotation begins.
    start: usize,
    /// Of the rotation: a place in the view's list.
    place: usize,
    /// Which backend the rotation picked last.
    last: Option<usize>,
    turns: Turns,
}

impl RoundRobin {
    pub(super) fn new(start: usize) -> RoundRobin {
        RoundRobin { start, place: 0, last: None, turns: Turns::new(start) }
    }

    /// The rotation goes on behind the last backend it picked, turns by weight with what each has saved up.
    pub(super) fn refresh(&mut self, view: &View) {
        self.turns.refresh(view);
        let usable = view.usable();
        self.place = match self.last {
            Some(last) => usable.partition_point(|at| *at as usize <= last),
            None => self.start % usable.len().max(1),
        };
    }

    pub(super) fn pick(&mut self, view: &View, look: &impl Look) -> Option<usize> {
        match view.is_equal() {
            true => self.rotate(view, look),
            false => self.turns.next(view, |at| look.may(at)),
        }
    }

    fn rotate(&mut self, view: &View, look: &impl Look) -> Option<usize> {
        let usable = view.usable();
        // Whoever may not is passed, and so nobody has two turns in a round.
        for _ in 0..usable.len() {
            let place = if self.place < usable.len() { self.place } else { 0 };
            let at = usable[place] as usize;
            self.place = place + 1;
            if look.may(at) {
                self.last = Some(at);
                return Some(at);
            }
        }
        None
    }
}
