use super::Effort;
use super::window::window_log;
use brotli::CompressorWriter;
use brotli::enc::BrotliEncoderParams;
use std::io::Write;

/// One stream of Brotli (RFC 7932).
pub(super) struct Brotli {
    /// Writes to a list that is exchanged for the caller's; none once it is finished.
    writer: Option<Box<CompressorWriter<Vec<u8>>>>,
}

impl Brotli {
    pub(super) fn new(effort: Effort, length: Option<u64>) -> Brotli {
        let (quality, window_log_max) = match effort {
            Effort::Streaming => (STREAMING_QUALITY, STREAMING_WINDOW_LOG),
            Effort::Stored => (STORED_QUALITY, STORED_WINDOW_LOG),
        };
        let parameters = BrotliEncoderParams {
            quality,
            lgwin: window_log(length, WINDOW_LOG_MIN, window_log_max) as i32,
            size_hint: length.and_then(|length| usize::try_from(length).ok()).unwrap_or(0),
            ..BrotliEncoderParams::default()
        };
        let writer = CompressorWriter::with_params(Vec::new(), BUFFER_BYTES, &parameters);
        Brotli { writer: Some(Box::new(writer)) }
    }

    pub(super) fn write(&mut self, input: &[u8], out: &mut Vec<u8>) {
        self.with(out, |writer| writer.write_all(input));
    }

    pub(super) fn flush(&mut self, out: &mut Vec<u8>) {
        self.with(out, |writer| writer.flush());
    }

    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        let Some(mut writer) = self.writer.take() else { return };
        std::mem::swap(writer.get_mut(), out);
        *out = writer.into_inner();
    }

    fn with(&mut self, out: &mut Vec<u8>, act: impl FnOnce(&mut CompressorWriter<Vec<u8>>) -> std::io::Result<()>) {
        let Some(writer) = &mut self.writer else { return };
        std::mem::swap(writer.get_mut(), out);
        act(writer).expect("writing to memory does not fail");
        std::mem::swap(writer.get_mut(), out);
    }
}

impl std::fmt::Debug for Brotli {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Brotli")
    }
}

/// Quality 4 saves 2 % more of the bytes for half as much CPU and memory again.
const STREAMING_QUALITY: i32 = 3;
/// 128 KiB: a stream holds its memory as long as it lasts, 2 MiB in all.
const STREAMING_WINDOW_LOG: u32 = 17;
/// Quality 9 takes twice the time for 2 % fewer bytes, and tables of 32 MiB.
const STORED_QUALITY: i32 = 6;
/// 1 MiB
const STORED_WINDOW_LOG: u32 = 20;
/// The format's own least.
const WINDOW_LOG_MIN: u32 = 10;
/// Between the encoder and the list.
const BUFFER_BYTES: usize = 4 * 1024;
