use super::turns::Turns;
use super::{Look, View};

/// In turn, smoothly by weight. Where all weights are equal that is a rotation, and is done as one.
#[derive(Debug)]
pub(super) struct RoundRobin {
    /// Where the rotation begins.
    start: usize,
    /// The rotation: who may be used, whoever was picked longest ago first when the view came.
    order: Vec<u32>,
    /// In `order`.
    place: usize,
    /// Of the rotation, by backend: the number of its last pick; 0 if there was none.
    picked: Vec<u64>,
    picks: u64,
    turns: Turns,
}

impl RoundRobin {
    pub(super) fn new(start: usize) -> RoundRobin {
        RoundRobin { start, order: Vec::new(), place: 0, picked: Vec::new(), picks: 0, turns: Turns::new(start) }
    }

    /// The rotation goes on with whoever waited longest, turns by weight with what each has saved up.
    ///
    /// "Behind the last one" would not do: views that alternate would lead it past the same backend again and again. This
    /// way one of n backends is picked after n picks from views that have it, whatever else they have.
    pub(super) fn refresh(&mut self, view: &View) {
        self.turns.refresh(view);
        self.place = 0;
        self.order.clear();
        if !view.is_equal() {
            return;
        }
        self.picked.resize(self.picked.len().max(view.weights().len()), 0);
        self.order.extend_from_slice(view.usable());
        let start = self.start % self.order.len().max(1);
        self.order.rotate_left(start);
        self.order.sort_by_key(|at| self.picked[*at as usize]);
    }

    pub(super) fn pick(&mut self, view: &View, look: &impl Look) -> Option<usize> {
        match view.is_equal() {
            true => self.rotate(look),
            false => self.turns.next(view, |at| look.may(at)),
        }
    }

    fn rotate(&mut self, look: &impl Look) -> Option<usize> {
        // Whoever may not is passed, and so nobody has two turns in a round.
        for _ in 0..self.order.len() {
            let place = if self.place < self.order.len() { self.place } else { 0 };
            let at = self.order[place] as usize;
            self.place = place + 1;
            if look.may(at) {
                self.picks += 1;
                self.picked[at] = self.picks;
                return Some(at);
            }
        }
        None
    }
}
