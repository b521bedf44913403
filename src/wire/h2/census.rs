//! Counts the frames a client sends, by looking at their 9-byte headers only, so that frames which cost us work and
//! the client nothing are bounded each second.

/// How many frames of a kind may come within one second.
#[derive(Clone, Copy, Debug)]
pub(super) struct FrameLimits {
    /// RST_STREAM (rapid reset, CVE-2023-44487).
    pub(super) resets: u32,
}

/// Which frame came too often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flood {
    /// RST_STREAM
    Reset,
    /// PING
    Ping,
    /// SETTINGS
    Settings,
    /// PRIORITY, or a type that we do not know
    Ignored,
    /// DATA without content
    EmptyData,
    /// WINDOW_UPDATE, beyond what our own sending explains
    WindowUpdate,
}

impl Flood {
    /// In a word, for logs and metric labels.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Flood::Reset => "reset_flood",
            Flood::Ping => "ping_flood",
            Flood::Settings => "settings_flood",
            Flood::Ignored => "priority_flood",
            Flood::EmptyData => "empty_data_flood",
            Flood::WindowUpdate => "window_update_flood",
        }
    }
}

const PINGS_MAX: u32 = 100;
const SETTINGS_MAX: u32 = 50;
const IGNORED_MAX: u32 = 1_000;
const EMPTY_DATA_MAX: u32 = 100;
/// A second's WINDOW_UPDATEs, apart from one for each [`BYTES_A_WINDOW_UPDATE`] that we sent.
const WINDOW_UPDATES_MAX: u32 = 2_000;
const BYTES_A_WINDOW_UPDATE: u64 = 512;

/// The client's preface, `PRI * HTTP/2.0…` (RFC 9113 §3.4).
const PREFACE: usize = 24;
const HEADER: usize = 9;

/// A reader of frame headers.
#[derive(Debug)]
pub(super) struct Census {
    limits: FrameLimits,
    /// Bytes until the next frame header.
    skip: usize,
    header: [u8; HEADER],
    have: usize,
    second: u64,
    written_before: u64,
    counts: Counts,
}

#[derive(Debug, Default)]
struct Counts {
    resets: u32,
    pings: u32,
    settings: u32,
    ignored: u32,
    empty_data: u32,
    window_updates: u32,
}

impl Census {
    pub(super) fn new(limits: FrameLimits) -> Self {
        Census {
            limits,
            skip: PREFACE,
            header: [0; HEADER],
            have: 0,
            second: 0,
            written_before: 0,
            counts: Counts::default(),
        }
    }

    /// Looks at what was received. `second` counts from anywhere; `written` are all bytes sent so far.
    pub(super) fn read(&mut self, mut bytes: &[u8], second: u64, written: u64) -> Result<(), Flood> {
        if second != self.second {
            self.second = second;
            self.written_before = written;
            self.counts = Counts::default();
        }
        let sent = written - self.written_before;
        while !bytes.is_empty() {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = &bytes[skipped..];
            let taken = (HEADER - self.have).min(bytes.len());
            self.header[self.have..self.have + taken].copy_from_slice(&bytes[..taken]);
            self.have += taken;
            bytes = &bytes[taken..];
            if self.have == HEADER {
                self.have = 0;
                self.frame(sent)?;
            }
        }
        Ok(())
    }

    fn frame(&mut self, sent: u64) -> Result<(), Flood> {
        let [a, b, c, kind, flags, ..] = self.header;
        self.skip = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        let counts = &mut self.counts;
        let updates_max = u64::from(WINDOW_UPDATES_MAX) + sent / BYTES_A_WINDOW_UPDATE;
        let (count, max, flood) = match kind {
            DATA if self.skip == 0 && flags & END_STREAM == 0 => {
                (&mut counts.empty_data, EMPTY_DATA_MAX, Flood::EmptyData)
            }
            DATA | HEADERS | PUSH_PROMISE | GOAWAY | CONTINUATION => return Ok(()),
            RST_STREAM => (&mut counts.resets, self.limits.resets, Flood::Reset),
            SETTINGS => (&mut counts.settings, SETTINGS_MAX, Flood::Settings),
            PING => (&mut counts.pings, PINGS_MAX, Flood::Ping),
            WINDOW_UPDATE => {
                let max = u32::try_from(updates_max).unwrap_or(u32::MAX);
                (&mut counts.window_updates, max, Flood::WindowUpdate)
            }
            _ => (&mut counts.ignored, IGNORED_MAX, Flood::Ignored),
        };
        *count += 1;
        if *count > max { Err(flood) } else { Ok(()) }
    }
}

// RFC 9113 §6
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PUSH_PROMISE: u8 = 5;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(kind: u8, flags: u8, payload: usize) -> Vec<u8> {
        let mut bytes = vec![(payload >> 16) as u8, (payload >> 8) as u8, payload as u8, kind, flags, 0, 0, 0, 1];
        bytes.resize(HEADER + payload, 0xee);
        bytes
    }

    fn census() -> Census {
        let mut census = Census::new(FrameLimits { resets: 10 });
        census.read(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 0, 0).unwrap();
        census
    }

    #[test]
    fn each_kind_is_bounded_within_a_second_and_allowed_anew_in_the_next() {
        for (kind, payload, max, flood) in [
            (RST_STREAM, 4, 10, Flood::Reset),
            (PING, 8, PINGS_MAX, Flood::Ping),
            (SETTINGS, 0, SETTINGS_MAX, Flood::Settings),
            (2, 5, IGNORED_MAX, Flood::Ignored),
            (0xbe, 70_000, IGNORED_MAX, Flood::Ignored),
            (DATA, 0, EMPTY_DATA_MAX, Flood::EmptyData),
            (WINDOW_UPDATE, 4, WINDOW_UPDATES_MAX, Flood::WindowUpdate),
        ] {
            let mut census = census();
            let frame = frame(kind, 0, payload);
            for second in 0..3 {
                for _ in 0..max {
                    assert_eq!(census.read(&frame, second, 0), Ok(()));
                }
            }
            assert_eq!(census.read(&frame, 2, 0), Err(flood));
        }
    }

    #[test]
    fn requests_content_and_window_updates_for_what_we_sent_are_not_counted() {
        let mut census = census();
        for n in 0..20_000_u64 {
            census.read(&frame(HEADERS, 5, 20), 0, 0).unwrap();
            census.read(&frame(DATA, 0, 1), 0, 0).unwrap();
            census.read(&frame(DATA, END_STREAM, 0), 0, 0).unwrap();
            census.read(&frame(WINDOW_UPDATE, 0, 4), 0, n * BYTES_A_WINDOW_UPDATE).unwrap();
        }
    }

    proptest! {
        #[test]
        fn frames_are_found_however_the_bytes_are_cut(
            frames in proptest::collection::vec((0u8..11, 0u8..2, 0usize..40), 0..200),
            step in 1usize..50,
        ) {
            let bytes: Vec<u8> = frames.iter().flat_map(|&(kind, flags, len)| frame(kind, flags, len)).collect();
            let whole = census().read(&bytes, 0, 0);
            let mut cut = census();
            let pieces = bytes.chunks(step).try_for_each(|piece| cut.read(piece, 0, 0));
            prop_assert_eq!(whole, pieces);
        }
    }
}
