use super::Effort;
use super::encoder::ROOM_BYTES;
use super::window::window_log;
use zstd_safe::zstd_sys::ZSTD_EndDirective as Until;
use zstd_safe::{CCtx, CParameter, InBuffer, OutBuffer, ResetDirective};

/// One frame of Zstandard (RFC 8878).
pub(super) struct Zstd {
    context: CCtx<'static>,
}

impl Zstd {
    pub(super) fn new(effort: Effort, length: Option<u64>) -> Zstd {
        let mut zstd = Zstd { context: CCtx::create() };
        zstd.restart(effort, length);
        zstd
    }

    /// Begins a frame anew; what was not finished is forgotten.
    pub(super) fn restart(&mut self, effort: Effort, length: Option<u64>) {
        let Tuning { level, window_log: window_log_max, table_log } = match effort {
            Effort::Streaming => STREAMING,
            Effort::Stored => STORED,
        };
        let window = window_log(length, WINDOW_LOG_MIN, window_log_max);
        let table = table_log.min(window);
        let context = &mut self.context;
        context.reset(ResetDirective::SessionAndParameters).expect("a reset of all is always allowed");
        let parameters = [
            CParameter::CompressionLevel(level),
            CParameter::WindowLog(window),
            // The level alone would size them for contents without end, whatever the window.
            CParameter::HashLog(table),
            CParameter::ChainLog(table),
        ];
        for parameter in parameters {
            context.set_parameter(parameter).expect("these values are within the library's bounds");
        }
    }

    pub(super) fn write(&mut self, input: &[u8], out: &mut Vec<u8>) {
        self.step(input, Until::ZSTD_e_continue, out);
    }

    pub(super) fn flush(&mut self, out: &mut Vec<u8>) {
        self.step(&[], Until::ZSTD_e_flush, out);
    }

    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        self.step(&[], Until::ZSTD_e_end, out);
    }

    fn step(&mut self, input: &[u8], until: Until, out: &mut Vec<u8>) {
        let mut source = InBuffer::around(input);
        loop {
            out.reserve(ROOM_BYTES);
            let at = out.len();
            let mut room = OutBuffer::around_pos(out, at);
            let left = self.context.compress_stream2(&mut room, &mut source, until);
            let left = left.expect("an encoder fails only for want of memory");
            let is_done = match until {
                Until::ZSTD_e_continue => source.pos() == input.len(),
                Until::ZSTD_e_flush | Until::ZSTD_e_end => left == 0,
            };
            if is_done {
                return;
            }
        }
    }
}

impl std::fmt::Debug for Zstd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Zstd")
    }
}

struct Tuning {
    level: i32,
    window_log: u32,
    /// Of both tables, of 4 bytes an entry.
    table_log: u32,
}

/// A window of 128 KiB: a stream holds its memory as long as it lasts, 0.7 MiB in all. Tables four times as large save
/// 0.1 % of the bytes.
const STREAMING: Tuning = Tuning { level: 3, window_log: 17, table_log: 15 };
/// A window of 1 MiB, well below the 8 MiB that RFC 9659 §3 allows; 6 MiB of memory in all.
const STORED: Tuning = Tuning { level: 9, window_log: 20, table_log: 19 };
/// The library's own least.
const WINDOW_LOG_MIN: u32 = 10;
