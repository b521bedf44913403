use weir::http::Fields;
use weir::wire::h1::chunked::{BadChunk, Decoder};
use weir::wire::h1::parse::Limits;

const LIMITS: Limits = Limits { size: 512, fields: 8 };

/// The first byte says how large the pieces are in which the rest arrives: content, trailers, what is left over and
/// errors are the same as if it came at once; and the content, written in chunks again, reads the same.
pub(crate) fn check(data: &[u8]) {
    let [size, input @ ..] = data else { return };
    let whole = decode(input, input.len());
    assert_eq!(decode(input, usize::from(*size) + 1), whole);
    let Ok(Some(whole)) = whole else { return };
    let mut text = Vec::new();
    for chunk in whole.content.chunks(7) {
        text.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        text.extend_from_slice(&[chunk, b"\r\n"].concat());
    }
    text.extend_from_slice(b"0\r\n\r\n");
    let again = decode(&text, text.len()).expect("valid").expect("whole");
    assert_eq!((again.content, again.consumed), (whole.content, text.len()));
}

#[derive(Debug, PartialEq)]
struct Decoded {
    content: Vec<u8>,
    trailers: Vec<(Vec<u8>, Vec<u8>)>,
    consumed: usize,
}

/// `None` if the input ends before the content does.
fn decode(input: &[u8], piece: usize) -> Result<Option<Decoded>, BadChunk> {
    let mut decoder = Decoder::default();
    let (mut content, mut at) = (Vec::new(), 0);
    while at < input.len() {
        let bytes = &input[at..(at + piece).min(input.len())];
        let step = decoder.step(bytes, LIMITS)?;
        assert!(step.skip + step.data > 0 && step.skip + step.data <= bytes.len());
        content.extend_from_slice(&bytes[step.skip..step.skip + step.data]);
        at += step.skip + step.data;
        if step.done {
            let mut fields = Fields::default();
            decoder.trailers(LIMITS, &mut fields)?;
            let trailers = fields.iter().map(|(_, name, value)| (name.to_vec(), value.to_vec())).collect();
            return Ok(Some(Decoded { content, trailers, consumed: at }));
        }
    }
    Ok(None)
}
