/// Keys of Redis. The part in braces decides about the node of a Redis Cluster: all of a fleet are on one, as scripts need it.
pub(super) struct Names {
    /// Who is there: a sorted set by when the lease ends, in milliseconds of Redis' clock.
    pub(super) members: String,
    /// By member: the number of the last purge that it has.
    pub(super) applied: String,
    /// The number of the last purge.
    pub(super) number: String,
    /// Purges, as a stream: their numbers are its ids.
    pub(super) purges: String,
    /// Random; another one says that the data were lost.
    pub(super) epoch: String,
    /// With which all members make keys of limits.
    pub(super) secret: String,
    /// By pool and address: the last word on a lease.
    pub(super) leases: String,
    /// Words on leases, as a stream.
    pub(super) words: String,
    /// Before the name of a limit and a key.
    rate: String,
    held: String,
}

impl Names {
    pub(super) fn of(fleet: &str) -> Names {
        let key = |what: &str| format!("{{weir:{fleet}}}:{what}");
        Names {
            members: key("members"),
            applied: key("applied"),
            number: key("purge"),
            purges: key("purges"),
            epoch: key("epoch"),
            secret: key("secret"),
            leases: key("leases"),
            words: key("words"),
            rate: key("rate"),
            held: key("held"),
        }
    }

    /// How far a key of a limit is: the time at which it has its whole burst again.
    pub(super) fn rate(&self, limit: &str, key: u64) -> String {
        format!("{}:{limit}:{key:016x}", self.rate)
    }

    /// How many exchanges of a key of a limit each member has.
    pub(super) fn held(&self, limit: &str, key: u64) -> String {
        format!("{}:{limit}:{key:016x}", self.held)
    }
}
