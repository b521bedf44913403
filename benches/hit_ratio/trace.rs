//! Traces, the same at each run.

/// One request.
#[derive(Clone, Copy)]
pub(crate) struct Request {
    /// Which object.
    pub(crate) key: u64,
    /// Its size, with all that is stored beside its content.
    pub(crate) bytes: usize,
}

/// What a trace is like.
pub(crate) struct Shape {
    /// Requests for popular objects; scans come on top.
    pub(crate) requests: usize,
    /// Popular objects.
    pub(crate) keys: usize,
    /// The exponent of their popularity.
    pub(crate) skew: f64,
    /// Whether each [`SCAN_EVERY`] requests a scan goes by.
    pub(crate) scans: bool,
}

/// Requests by Zipf's law, with scans of objects that nobody asks for again if they are wished for.
pub(crate) fn generate(shape: &Shape) -> Vec<Request> {
    let mut random = Random(SEED);
    let popularity = cumulative(shape);
    let total = popularity.last().copied().unwrap_or_default();
    let mut trace = Vec::with_capacity(shape.requests * 3 / 2);
    let mut scanned = SCANNED_FROM;
    for at in 1..=shape.requests {
        let drawn = random.unit() * total;
        let rank = popularity.partition_point(|&below| below < drawn);
        trace.push(request(rank as u64));
        if shape.scans && at % SCAN_EVERY == 0 {
            trace.extend((scanned..scanned + SCAN_KEYS).map(request));
            scanned += SCAN_KEYS;
        }
    }
    trace
}

/// Evenly spread numbers from a key (the finaliser of MurmurHash3).
pub(crate) fn mix(key: u64) -> u64 {
    let key = (key ^ key >> 33).wrapping_mul(0xFF51_AFD7_ED55_8CCD);
    let key = (key ^ key >> 33).wrapping_mul(0xC4CE_B9FE_1A85_EC53);
    key ^ key >> 33
}

/// The size goes by the key alone: as many objects of 1 to 2 KiB as of 64 to 128, whatever their popularity.
fn request(key: u64) -> Request {
    let part = mix(key ^ SEED) as f64 / u64::MAX as f64;
    Request { key, bytes: (BYTES_MIN * (BYTES_MAX / BYTES_MIN).powf(part)) as usize }
}

fn cumulative(shape: &Shape) -> Vec<f64> {
    let weights = (1..=shape.keys).map(|rank| (rank as f64).powf(-shape.skew));
    weights
        .scan(0.0, |sum, weight| {
            *sum += weight;
            Some(*sum)
        })
        .collect()
}

struct Random(u64);

impl Random {
    /// From 0 to 1.
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        (mix(self.0) >> 11) as f64 / (1u64 << 53) as f64
    }
}

const SEED: u64 = 0x5EED_0004;
const BYTES_MIN: f64 = 1024.0;
const BYTES_MAX: f64 = 128.0 * 1024.0;
const SCAN_EVERY: usize = 20_000;
const SCAN_KEYS: u64 = 10_000;
const SCANNED_FROM: u64 = 1 << 40;
