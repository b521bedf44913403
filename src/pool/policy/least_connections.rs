use super::{Look, View, next_random};

/// The backend with the fewest exchanges in flight for its weight. Equals take turns by weight, as with smooth round
/// robin, so that a pool at rest is shared by weight too (as nginx's `least_conn` does).
///
/// Up to [`EXACT_MAX`] backends all are looked at; of more, the best of [`DRAWS`] drawn by weight is taken, which comes close
/// to it (Mitzenmacher, The Power of Two Choices, 2001) at a cost that does not grow.
#[derive(Debug)]
pub(super) struct LeastConnections {
    start: usize,
    /// For turns among equals, by the place in the view's list.
    current: Vec<i64>,
    began: bool,
}

impl LeastConnections {
    pub(super) fn new(start: usize) -> LeastConnections {
        LeastConnections { start, current: Vec::new(), began: false }
    }

    pub(super) fn refresh(&mut self, view: &View) {
        let len = view.usable().len();
        if self.current.len() != len {
            self.current.clear();
            self.current.resize(len, 0);
        }
        // Workers begin at different places.
        if !std::mem::replace(&mut self.began, true)
            && let Some(first) = self.current.get_mut(self.start % len.max(1))
        {
            *first = 1;
        }
    }

    pub(super) fn pick(&mut self, view: &View, look: &impl Look, random: u64) -> Option<usize> {
        if view.usable().len() > EXACT_MAX { drawn(view, look, random) } else { self.exact(view, look) }
    }

    fn exact(&mut self, view: &View, look: &impl Look) -> Option<usize> {
        let mut least: Option<Load> = None;
        for &at in view.usable() {
            let load = Load::of(view, look, at as usize);
            if look.may(at as usize) && least.is_none_or(|least| load.is_below(least)) {
                least = Some(load);
            }
        }
        let least = least?;
        let (mut best, mut sum) = (None, 0);
        for (place, &at) in view.usable().iter().enumerate() {
            let load = Load::of(view, look, at as usize);
            // What grew meanwhile, on other workers, is no equal any more; what was picked as least stays one.
            if least.is_below(load) || !look.may(at as usize) {
                continue;
            }
            sum += i64::from(load.weight);
            self.current[place] += i64::from(load.weight);
            if best.is_none_or(|best: usize| self.current[place] > self.current[best]) {
                best = Some(place);
            }
        }
        let Some(place) = best else { return view.scan(0, |at| look.may(at)) };
        self.current[place] -= sum;
        Some(view.usable()[place] as usize)
    }
}

/// The best of some that are drawn.
fn drawn(view: &View, look: &impl Look, mut random: u64) -> Option<usize> {
    let mut least: Option<(usize, Load)> = None;
    for _ in 0..DRAWS {
        let at = view.draw(next_random(&mut random))?;
        let load = Load::of(view, look, at);
        if look.may(at) && least.is_none_or(|(_, least)| load.is_below(least)) {
            least = Some((at, load));
        }
    }
    least.map(|(at, _)| at).or_else(|| view.scan(random, |at| look.may(at)))
}

/// Exchanges for a weight, as a fraction.
#[derive(Clone, Copy)]
struct Load {
    in_flight: u64,
    weight: u32,
}

impl Load {
    fn of(view: &View, look: &impl Look, at: usize) -> Load {
        Load { in_flight: u64::from(look.in_flight(at)), weight: view.weight(at) }
    }

    fn is_below(self, other: Load) -> bool {
        self.in_flight * u64::from(other.weight) < other.in_flight * u64::from(self.weight)
    }
}

/// Backends of which all are looked at.
const EXACT_MAX: usize = 64;

/// Backends that are compared where there are more.
const DRAWS: u32 = 8;
