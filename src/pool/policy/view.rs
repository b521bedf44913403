/// Which backends may be used, with the weights that count now. Made anew whenever health, membership or a slow start
/// changes; a pick only reads it.
#[derive(Clone, Debug, Default)]
pub struct View {
    weights: Vec<u32>,
    usable: Vec<u32>,
    /// Sums of the weights of `usable` up to each.
    sums: Vec<u64>,
    equal: bool,
}

impl View {
    /// One weight a backend; 0: not to be used.
    #[must_use]
    pub fn new(weights: &[u32]) -> View {
        let usable: Vec<u32> = (0u32..).zip(weights).filter(|(_, weight)| **weight > 0).map(|(at, _)| at).collect();
        let weight = |at: &u32| u64::from(weights[*at as usize]);
        let sums = usable.iter().scan(0, |sum, at| {
            *sum += weight(at);
            Some(*sum)
        });
        let equal = usable.windows(2).all(|pair| weight(&pair[0]) == weight(&pair[1]));
        View { sums: sums.collect(), weights: weights.to_vec(), usable, equal }
    }

    /// The backends that may be used.
    #[must_use]
    pub fn usable(&self) -> &[u32] {
        &self.usable
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.usable.is_empty()
    }

    /// Of all backends, by index.
    pub(super) fn weights(&self) -> &[u32] {
        &self.weights
    }

    /// A backend's weight; 0 if it may not be used, or there is no such backend.
    #[must_use]
    pub fn weight(&self, at: usize) -> u32 {
        self.weights.get(at).copied().unwrap_or(0)
    }

    /// The sum of all weights.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.sums.last().copied().unwrap_or(0)
    }

    /// Whether all that may be used have the same weight.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        self.equal
    }

    /// The backend on which a uniform `random` falls, by weight.
    pub(super) fn draw(&self, random: u64) -> Option<usize> {
        let len = self.usable.len();
        let at = match self.equal {
            true => super::scaled(random, len as u64) as usize,
            false => {
                let point = super::scaled(random, self.total());
                self.sums.partition_point(|sum| *sum <= point)
            }
        };
        self.usable.get(at).map(|at| *at as usize)
    }

    /// The first that `may`, from the place in the list that `random` falls on.
    pub(super) fn scan(&self, random: u64, may: impl Fn(usize) -> bool) -> Option<usize> {
        let start = super::scaled(random, self.usable.len() as u64) as usize;
        let (before, from) = self.usable.split_at(start);
        from.iter().chain(before).map(|at| *at as usize).find(|at| may(*at))
    }
}
