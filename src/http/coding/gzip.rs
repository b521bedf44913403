use super::Effort;
use super::encoder::ROOM_BYTES;
use super::window::window_log;
use flate2::{Compress, Compression, FlushCompress, Status};

/// One member of gzip (RFC 1952), without name and time.
#[derive(Debug)]
pub(super) struct Gzip {
    compress: Compress,
}

impl Gzip {
    pub(super) fn new(effort: Effort, length: Option<u64>) -> Gzip {
        let level = match effort {
            Effort::Streaming => STREAMING_LEVEL,
            Effort::Stored => STORED_LEVEL,
        };
        let window = window_log(length, WINDOW_LOG_MIN, WINDOW_LOG_MAX);
        Gzip { compress: Compress::new_gzip(Compression::new(level), window as u8) }
    }

    /// Begins a member anew, with the same effort and window.
    pub(super) fn restart(&mut self) {
        self.compress.reset();
    }

    pub(super) fn write(&mut self, mut input: &[u8], out: &mut Vec<u8>) {
        while !input.is_empty() {
            let before = self.compress.total_in();
            self.step(input, FlushCompress::None, out);
            input = &input[(self.compress.total_in() - before) as usize..];
        }
    }

    pub(super) fn flush(&mut self, out: &mut Vec<u8>) {
        loop {
            self.step(&[], FlushCompress::Sync, out);
            // zlib has more to say as long as it filled all room that it was given.
            if out.len() < out.capacity() {
                return;
            }
        }
    }

    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        while self.step(&[], FlushCompress::Finish, out) != Status::StreamEnd {}
    }

    fn step(&mut self, input: &[u8], flush: FlushCompress, out: &mut Vec<u8>) -> Status {
        out.reserve(ROOM_BYTES);
        self.compress.compress_vec(input, out, flush).expect("deflate fails only when it is used after its end")
    }
}

const STREAMING_LEVEL: u32 = 4;
const STORED_LEVEL: u32 = 6;
/// 32 KiB, the most that deflate knows (RFC 1951 §2); 0.3 MiB of memory in all.
const WINDOW_LOG_MAX: u32 = 15;
const WINDOW_LOG_MIN: u32 = 9;
