//! Signed tokens: JWS in its compact form with the claims of RFC 7519, and nothing else of that family.
//!
//! What a token says of itself is never obeyed: its `alg` must be one that the configuration names, its key is found among
//! those of the issuer and is of the kind that the algorithm takes, and `jku`, `jwk`, `x5u` and `x5c` are not looked at.
//! There are no shared secrets and no `none`, so that no key can be taken for another kind (RFC 8725 §3.1, §3.2).

mod claims;
mod json;
mod keys;
mod schedule;
mod token;
mod verify;

pub use keys::{Keys, KeysFault};
pub use schedule::{REFETCH_EVERY, Schedule};
pub use token::{TOKEN_BYTES_MAX, token};
pub use verify::{Verified, verify};

/// Why nobody is let in by a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// There is none.
    Missing,
    /// It cannot be read, or there are two.
    Malformed,
    /// It demands to be understood in a way that we do not know (`crit`).
    Critical,
    /// Its algorithm is not one of those that the configuration names.
    Algorithm,
    /// None of the keys is the one that it names.
    UnknownKey,
    /// The key did not sign it.
    Signature,
    /// Another issuer's.
    Issuer,
    /// It is for somebody else.
    Audience,
    /// Its time is over, or it says none.
    Expired,
    /// Its time has not begun.
    Early,
    /// A claim cannot be told to the backend.
    Claim,
}

#[cfg(test)]
mod tests;
