//! Content codings (RFC 9110 §8.4.1) towards clients: which one, for what, and the encoders.

mod accepts;
mod adapt;
mod brotli;
mod encoder;
mod gzip;
mod pool;
mod rules;
mod window;
mod zstd;

pub use accepts::{Accepts, choose};
pub use adapt::{adapt, adapt_not_modified, adapt_trailers, says_vary, vary};
pub use encoder::{Effort, Encoder, encode_whole};
pub use pool::Encoders;
pub use rules::{Rules, TypePattern, compressible, forbids_transforming, is_of_compressible};

/// A content coding that Weir can apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Coding {
    /// `zstd` (RFC 8878, RFC 9659)
    Zstd,
    /// `br` (RFC 7932)
    Br,
    /// `gzip` (RFC 1952)
    Gzip,
}

impl Coding {
    /// All of them, the one that costs least for what it saves first: what a route that only says "compress" offers.
    pub const ALL: [Coding; 3] = [Coding::Zstd, Coding::Br, Coding::Gzip];

    /// The name in Content-Encoding.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Coding::Zstd => "zstd",
            Coding::Br => "br",
            Coding::Gzip => "gzip",
        }
    }

    /// What a streaming encoder holds at most, measured and rounded up.
    #[must_use]
    pub const fn stream_bytes(self) -> usize {
        match self {
            Coding::Zstd => 704 << 10,
            Coding::Br => 2 << 20,
            Coding::Gzip => 336 << 10,
        }
    }

    /// The coding called `name`, in any case; `x-gzip` is gzip (RFC 9110 §8.4.1.3).
    #[must_use]
    pub fn of(name: &[u8]) -> Option<Coding> {
        let named = Coding::ALL.into_iter().find(|coding| name.eq_ignore_ascii_case(coding.name().as_bytes()));
        named.or_else(|| name.eq_ignore_ascii_case(b"x-gzip").then_some(Coding::Gzip))
    }
}

#[cfg(test)]
mod tests;
