use std::fmt;

/// Why somebody may not register a backend, or take it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// There is no such pool.
    NoPool,
    /// The pool takes no registrations.
    Closed,
    /// The pool does not name the token.
    NotYours,
    /// The address is outside of the token's networks.
    Outside,
    /// The address is the admin listener's own.
    Own,
    /// The address stands in the configuration, which decides about it.
    Configured,
    /// The pool has as many leases as it may have.
    Full,
    /// There is no lease for that address.
    NoLease,
    /// The lease was given back, and its backend still ends what it has.
    Leaves,
    /// No service is called that.
    NoService,
    /// No check is called that, or none whose service answers for it.
    NoCheck,
    /// The service has as many checks as it may have.
    TooManyChecks,
    /// Another check is called that.
    CheckTaken,
    /// A check allows more time than a lease of the pool lasts.
    TooLong,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refused::NoPool => "there is no pool of that name",
            Refused::Closed => "that pool takes no registrations: it has no `register`",
            Refused::NotYours => "this token may not register in that pool: its `register` does not name it",
            Refused::Outside => {
                "this token may not register that address, or take it out: it is in none of its `networks`"
            }
            Refused::Own => "that is the address of this admin listener",
            Refused::Configured => "that address stands in `backends` of the pool, and is not to be registered",
            Refused::Full => "that pool has as many registrations as it may have",
            Refused::NoLease => "no such backend is registered",
            Refused::Leaves => {
                "that backend was taken out and still ends what it has, so a renewal does not bring it back: \
                 register it again once it has left, which is no later than the pool's `drain`"
            }
            Refused::NoService => "no service of that ID is registered",
            Refused::NoCheck => "no TTL check of that ID is registered",
            Refused::TooManyChecks => "that service has as many checks as it may have",
            Refused::CheckTaken => "another check has that ID: they are unique among those of all services",
            Refused::TooLong => {
                "the TTL of a check is longer than leases of that pool last: raise `ttl` of its `register`"
            }
        })
    }
}

impl std::error::Error for Refused {}
