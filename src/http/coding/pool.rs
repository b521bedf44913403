use super::encoder::Stream;
use super::gzip::Gzip;
use super::zstd::Zstd;
use super::{Coding, Effort, Encoder};

/// The encoders of one worker's streams: those that are out, bounded in memory, and some that wait for the next stream,
/// because the tables of a new one are fresh pages, which cost more than a small response. Brotli's cannot be used
/// again.
#[derive(Debug)]
pub struct Encoders {
    zstd: Vec<Zstd>,
    gzip: Vec<Gzip>,
    /// Bytes that those which are out may hold.
    out_bytes: usize,
    out_bytes_max: usize,
}

impl Default for Encoders {
    fn default() -> Encoders {
        Encoders::holding(OUT_BYTES_MAX)
    }
}

impl Encoders {
    /// Lends encoders that hold up to `out_bytes_max` together.
    #[must_use]
    pub fn holding(out_bytes_max: usize) -> Encoders {
        Encoders { zstd: Vec::new(), gzip: Vec::new(), out_bytes: 0, out_bytes_max }
    }

    /// An encoder for a stream of about `length` bytes, to be [put back](Self::put_back). None if too many are out: a
    /// response without a coding is better than none.
    #[must_use]
    pub fn take(&mut self, coding: Coding, length: Option<u64>) -> Option<Encoder> {
        let out_bytes = self.out_bytes + coding.stream_bytes();
        if out_bytes > self.out_bytes_max {
            return None;
        }
        self.out_bytes = out_bytes;
        Some(match coding {
            Coding::Zstd => match self.zstd.pop() {
                Some(mut zstd) => {
                    zstd.restart(Effort::Streaming, length);
                    Encoder::over(Stream::Zstd(zstd))
                }
                None => Encoder::sized(coding, Effort::Streaming, length),
            },
            Coding::Gzip => {
                let gzip = self.gzip.pop().unwrap_or_else(|| Gzip::new(Effort::Streaming, None));
                Encoder::over(Stream::Gzip(gzip))
            }
            Coding::Br => Encoder::sized(coding, Effort::Streaming, length),
        })
    }

    /// Takes an encoder of [`take`](Self::take) back, wherever in its stream it is.
    pub fn put_back(&mut self, encoder: Encoder) {
        self.out_bytes = self.out_bytes.saturating_sub(encoder.coding().stream_bytes());
        match encoder.into_stream() {
            Stream::Zstd(zstd) if self.zstd.len() < KEPT_MAX => self.zstd.push(zstd),
            Stream::Gzip(mut gzip) if self.gzip.len() < KEPT_MAX => {
                gzip.restart();
                self.gzip.push(gzip);
            }
            _ => {}
        }
    }
}

/// Of each coding that wait: 8 MiB in all.
const KEPT_MAX: usize = 8;
/// 93 streams of zstd, 32 of br or 195 of gzip at once: only slow clients and endless responses hold one for long.
const OUT_BYTES_MAX: usize = 64 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_out_is_bounded_and_what_comes_back_is_lent_again() {
        let mut encoders = Encoders::holding(2 * Coding::Zstd.stream_bytes());
        let first = encoders.take(Coding::Zstd, None).unwrap();
        let second = encoders.take(Coding::Zstd, Some(10)).unwrap();
        assert!(encoders.take(Coding::Zstd, None).is_none() && encoders.take(Coding::Gzip, None).is_none());
        encoders.put_back(first);
        let third = encoders.take(Coding::Gzip, None).unwrap();
        encoders.put_back(second);
        encoders.put_back(third);
        assert_eq!((encoders.out_bytes, encoders.zstd.len(), encoders.gzip.len()), (0, 2, 1));
    }
}
