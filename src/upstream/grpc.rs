//! The question of a gRPC health check, and its answer.

use super::ProbeError;
use super::probe::{AGENT, final_head, head};
use crate::exchange::{Chunk, Piece, Request, Sink, Source, Upstream};
use crate::http::{FieldName, Fields, Length, Method, Scheme};
use crate::wire::h2;

/// `grpc.health.v1.Health/Check` (github.com/grpc/grpc/blob/master/doc/health-checking.md).
pub(super) async fn check(
    connection: &h2::BackendConnection,
    authority: &str,
    scheme: Scheme,
    service: &str,
) -> Result<(), ProbeError> {
    let mut head = head(Method::Post, "/grpc.health.v1.Health/Check", authority, scheme);
    head.fields.push_known(FieldName::ContentType, b"application/grpc");
    head.fields.push_known(FieldName::Te, b"trailers");
    head.fields.push_known(FieldName::UserAgent, AGENT);
    let message = question(service);
    let mut up = connection.exchange(Method::Post);
    let (request, response) = up.halves();
    let sent = async {
        request.head(&head, Length::Known(message.len() as u64)).await?;
        request.data(Chunk::Lent(&message), true).await?;
        request.end(None).await
    };
    sent.await.map_err(ProbeError::Broken)?;
    let head = final_head(response).await.map_err(ProbeError::Broken)?;
    if head.status != 200 {
        return Err(ProbeError::Status(head.status));
    }
    let mut code = code_of(&head.fields);
    let mut answer = Vec::new();
    loop {
        match response.next().await.map_err(ProbeError::Broken)? {
            Piece::Data { chunk, .. } if answer.len() + chunk.as_slice().len() <= ANSWER_BYTES_MAX => {
                answer.extend_from_slice(chunk.as_slice());
            }
            Piece::Data { .. } => return Err(ProbeError::NoAnswer),
            Piece::End(trailers) => {
                code = trailers.and_then(code_of).or(code);
                break;
            }
        }
    }
    match (code, serving_status(&answer)) {
        (Some(0), Some(SERVING)) => Ok(()),
        (Some(0), Some(status)) => Err(ProbeError::NotServing(status)),
        (Some(0) | None, _) => Err(ProbeError::NoAnswer),
        (Some(code), _) => Err(ProbeError::Grpc(code)),
    }
}

fn code_of(fields: &Fields) -> Option<u32> {
    std::str::from_utf8(fields.named(b"grpc-status").next()?).ok()?.parse().ok()
}

/// `HealthCheckRequest { service }` with the prefix of a gRPC message; the configuration bounds the name's length.
fn question(service: &str) -> Vec<u8> {
    let mut message = Vec::with_capacity(service.len() + 3);
    if !service.is_empty() {
        message.push(0x0a); // field 1, a string
        let mut len = service.len();
        while len >= 0x80 {
            message.push(len as u8 | 0x80);
            len >>= 7;
        }
        message.push(len as u8);
        message.extend_from_slice(service.as_bytes());
    }
    let mut framed = vec![0]; // not compressed
    framed.extend_from_slice(&u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes());
    framed.extend_from_slice(&message);
    framed
}

/// `HealthCheckResponse { status }`: 0, the default, is not written. `None`: it is no such message.
fn serving_status(framed: &[u8]) -> Option<u64> {
    let (prefix, mut message) = framed.split_at_checked(5)?;
    let len = u32::from_be_bytes(prefix[1..].try_into().ok()?);
    if prefix[0] != 0 || len as usize != message.len() {
        return None;
    }
    let mut status = 0;
    while !message.is_empty() {
        let tag = varint(&mut message)?;
        match (tag >> 3, tag & 7) {
            (1, 0) => status = varint(&mut message)?,
            (_, 0) => _ = varint(&mut message)?,
            (_, 1) => message = message.get(8..)?,
            (_, 2) => {
                let len = usize::try_from(varint(&mut message)?).ok()?;
                message = message.get(len..)?;
            }
            (_, 5) => message = message.get(4..)?,
            _ => return None,
        }
    }
    Some(status)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// An answer is a few bytes.
const ANSWER_BYTES_MAX: usize = 4096;

/// `ServingStatus`
const SERVING: u64 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_a_framed_message() {
        assert_eq!(question(""), [0, 0, 0, 0, 0]);
        assert_eq!(question("ab"), [0, 0, 0, 0, 4, 0x0a, 2, b'a', b'b']);
        let long = question(&"x".repeat(300));
        assert_eq!(long[..8], [0, 0, 0, 1, 0x2f, 0x0a, 0xac, 0x02]);
    }

    #[test]
    fn an_answer_says_its_status_and_garbage_says_none() {
        assert_eq!(serving_status(&[0, 0, 0, 0, 2, 8, 1]), Some(SERVING));
        assert_eq!(serving_status(&[0, 0, 0, 0, 0]), Some(0));
        assert_eq!(serving_status(&[0, 0, 0, 0, 6, 0x12, 2, b'h', b'i', 8, 2]), Some(2));
        for garbage in [
            &[][..],
            &[0, 0, 0],
            &[1, 0, 0, 0, 2, 8, 1],
            &[0, 0, 0, 0, 3, 8, 1],
            &[0, 0, 0, 0, 1, 8],
            &[0, 0, 0, 0, 2, 0x0a, 9],
            &[0, 0, 0, 0, 1, 0x0b],
            &[0, 0, 0, 0, 11, 8, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255],
        ] {
            assert_eq!(serving_status(garbage), None, "{garbage:?}");
        }
    }
}
