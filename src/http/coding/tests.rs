//! What goes in comes out, however it was cut: decoded with the same crates.

use super::{Coding, Effort, Encoder, Encoders, encode_whole};
use flate2::{Decompress, FlushDecompress};
use proptest::prelude::*;
use std::io::Read;

/// One call on an encoder.
#[derive(Clone, Debug)]
enum Step {
    Write(usize),
    Flush,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (0usize..5_000).prop_map(Step::Write),
        1 => (0usize..80_000).prop_map(Step::Write),
        1 => Just(Step::Flush),
    ];
    prop::collection::vec(step, 0..12)
}

/// Content that compresses in part, from a seed.
fn content(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut bytes = Vec::with_capacity(len + 32);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        match state % 3 {
            0 => bytes.extend_from_slice(b"<li class=\"item\">word</li>"),
            1 => bytes.extend_from_slice(&state.to_le_bytes()),
            _ => bytes.extend_from_slice(format!("{}", state % 97).as_bytes()),
        }
    }
    bytes.truncate(len);
    bytes
}

/// Decodes all that can be decoded of a stream that may go on.
fn decoded_so_far(coding: Coding, encoded: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    match coding {
        Coding::Zstd => {
            let mut context = zstd_safe::DCtx::create();
            context.set_parameter(zstd_safe::DParameter::WindowLogMax(20)).unwrap();
            let mut source = zstd_safe::InBuffer::around(encoded);
            loop {
                let before = (source.pos(), out.len());
                out.reserve(64 * 1024);
                let at = out.len();
                let mut room = zstd_safe::OutBuffer::around_pos(&mut out, at);
                context.decompress_stream(&mut room, &mut source).unwrap();
                if (source.pos(), out.len()) == before {
                    return out;
                }
            }
        }
        Coding::Br => {
            let mut reader = brotli::Decompressor::new(encoded, 4096);
            // A stream that goes on ends in an error here, after all that can be had of it.
            let _ = reader.read_to_end(&mut out);
            out
        }
        Coding::Gzip => {
            let mut decompress = Decompress::new_gzip(15);
            loop {
                let before = (decompress.total_in(), decompress.total_out());
                out.reserve(64 * 1024);
                decompress
                    .decompress_vec(&encoded[decompress.total_in() as usize..], &mut out, FlushDecompress::Sync)
                    .unwrap();
                if (decompress.total_in(), decompress.total_out()) == before {
                    return out;
                }
            }
        }
    }
}

/// Runs the steps and gives what was written and what came out; after each flush all must be there.
fn run(encoder: &mut Encoder, steps: &[Step], seed: u64) -> Result<(Vec<u8>, Vec<u8>), TestCaseError> {
    let (mut written, mut out) = (Vec::new(), Vec::new());
    for step in steps {
        match step {
            Step::Write(len) => {
                let piece = content(*len, seed ^ written.len() as u64);
                encoder.write(&piece, &mut out);
                written.extend_from_slice(&piece);
            }
            Step::Flush => {
                encoder.flush(&mut out);
                same(encoder.coding(), &out, &written)?;
                let before = out.len();
                encoder.flush(&mut out);
                prop_assert_eq!(out.len(), before, "nothing is kept back, so nothing is said");
            }
        }
    }
    encoder.finish(&mut out);
    Ok((written, out))
}

/// Without the bytes in the message.
fn same(coding: Coding, encoded: &[u8], written: &[u8]) -> Result<(), TestCaseError> {
    let decoded = decoded_so_far(coding, encoded);
    prop_assert!(decoded == written, "{coding:?} gives {} of {} bytes", decoded.len(), written.len());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn any_cuts_and_flushes_decode_to_what_was_written(
        steps in steps(),
        seed in any::<u64>(),
        length in prop_oneof![Just(None), (0u64..100_000).prop_map(Some)],
    ) {
        for coding in Coding::ALL {
            let mut encoder = Encoder::sized(coding, Effort::Streaming, length);
            let (written, out) = run(&mut encoder, &steps, seed)?;
            same(coding, &out, &written)?;
        }
    }

    #[test]
    fn an_encoder_that_was_used_starts_anew(first in steps(), second in steps(), seed in any::<u64>(), ended: bool) {
        let mut encoders = Encoders::default();
        for coding in Coding::ALL {
            let mut encoder = encoders.take(coding, None).unwrap();
            let mut out = Vec::new();
            for step in &first {
                match step {
                    Step::Write(len) => encoder.write(&content(*len, seed), &mut out),
                    Step::Flush => encoder.flush(&mut out),
                }
            }
            if ended {
                encoder.finish(&mut out);
            }
            encoders.put_back(encoder);
            let mut encoder = encoders.take(coding, Some(1_000)).unwrap();
            let (written, out) = run(&mut encoder, &second, seed)?;
            same(coding, &out, &written)?;
        }
    }
}

#[test]
fn whole_content_is_encoded_with_either_effort() {
    for coding in Coding::ALL {
        for len in [0, 1, 255, 4_096, 300_000] {
            let input = content(len, 7);
            let [streaming, stored] =
                [Effort::Streaming, Effort::Stored].map(|effort| encode_whole(coding, effort, &input));
            assert_eq!(decoded_so_far(coding, &streaming), input);
            assert_eq!(decoded_so_far(coding, &stored), input);
            assert!(len < 4_096 || stored.len() < len / 2, "{coding:?} makes {} of {len}", stored.len());
        }
    }
}

#[test]
fn what_begins_is_seen_at_once_when_it_is_flushed() {
    for coding in Coding::ALL {
        let (mut encoder, mut out) = (Encoder::new(coding, Effort::Streaming), Vec::new());
        encoder.flush(&mut out);
        assert!(out.is_empty(), "nothing was written");
        encoder.write(b"hello", &mut out);
        encoder.flush(&mut out);
        assert_eq!(decoded_so_far(coding, &out), b"hello", "{coding:?}");
    }
}

#[test]
fn names_are_those_of_the_registry() {
    assert_eq!(Coding::ALL.map(Coding::name), ["zstd", "br", "gzip"]);
    for coding in Coding::ALL {
        assert_eq!(Coding::of(coding.name().to_uppercase().as_bytes()), Some(coding));
    }
    assert_eq!((Coding::of(b"X-GZIP"), Coding::of(b"deflate")), (Some(Coding::Gzip), None));
}
