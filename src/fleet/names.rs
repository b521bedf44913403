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
    /// Somebody looked a moment ago which of those are over.
    pub(super) swept: String,
    /// Words on leases, as a stream.
    pub(super) words: String,
    /// With which members sign the tickets of waiting rooms, and have signed: a list.
    pub(super) room_secrets: String,
    /// Before a member: that it has left.
    left: String,
    /// Before the name of a limit and a key.
    rate: String,
    held: String,
    /// Before what there is of a waiting room, and its name.
    room: String,
}

/// Keys of one waiting room.
pub(super) struct RoomNames {
    /// What members tell, as a stream.
    pub(super) words: String,
    /// How many calls there were, and how far all are ahead of the rate.
    pub(super) state: String,
    /// By member: places inside, and until when they are its own.
    pub(super) claims: String,
    /// By what tells the numbers of members apart: whose it is.
    pub(super) issuers: String,
    /// Before the name of a member: all that it knows.
    all: String,
}

impl RoomNames {
    /// All that a member knows.
    pub(super) fn all(&self, member: &str) -> String {
        format!("{}:{member}", self.all)
    }
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
            swept: key("swept"),
            words: key("words"),
            room_secrets: key("room-secrets"),
            left: key("left"),
            rate: key("rate"),
            held: key("held"),
            room: key("room"),
        }
    }

    /// That a member has left.
    pub(super) fn left(&self, member: &str) -> String {
        format!("{}:{member}", self.left)
    }

    /// How far a key of a limit is: the time at which it has its whole burst again.
    pub(super) fn rate(&self, limit: &str, key: u64) -> String {
        format!("{}:{limit}:{key:016x}", self.rate)
    }

    /// How many exchanges of a key of a limit each member has.
    pub(super) fn held(&self, limit: &str, key: u64) -> String {
        format!("{}:{limit}:{key:016x}", self.held)
    }

    /// Keys of the waiting room of that name.
    pub(super) fn room(&self, name: &str) -> RoomNames {
        let key = |what: &str| format!("{}-{what}:{name}", self.room);
        RoomNames {
            words: key("words"),
            state: key("state"),
            claims: key("claims"),
            issuers: key("issuers"),
            all: key("all"),
        }
    }
}
