//! Origins of both versions that say the same.

use super::answers::{Answer, Asked, HINT, answer};
use super::seen::{bytes, latin1, lines, map};
use super::support::{Framing, Wire};
use bytes::Bytes;
use h2::server::SendResponse;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::Sender;
use std::thread;

pub(crate) fn http1() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(move || serve(stream.unwrap()));
        }
    });
    address
}

fn serve(stream: TcpStream) {
    let mut wire = Wire::new(stream);
    while let Ok((line, fields)) = wire.head() {
        let [method, target, "HTTP/1.1"] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let framing = Framing::of(&fields).unwrap().unwrap_or(Framing::None);
        let Ok((body, trailers)) = wire.content(framing) else { return };
        let host = fields.get("host").unwrap();
        let (method, target) = (method.to_owned(), target.to_owned());
        let asked = Asked { method, target, host, fields: fields.0, body, trailers: trailers.0 };
        if wire.try_send(message(&answer(&asked), &asked.method)).is_err() {
            return;
        }
    }
}

/// An answer as HTTP/1.1.
fn message(answer: &Answer, method: &str) -> Vec<u8> {
    let mut text = String::new();
    if answer.hints {
        text += &format!("HTTP/1.1 103 Early Hints\r\n{}: {}\r\n\r\n", HINT.0, HINT.1);
    }
    text += &format!("HTTP/1.1 {} Said\r\n", answer.status);
    let line = |(name, value): &(String, String)| format!("{name}: {value}\r\n");
    text.extend(answer.fields.iter().map(line));
    if answer.is_open {
        text += "Transfer-Encoding: chunked\r\n";
    } else if says_length(answer) {
        text += &format!("Content-Length: {}\r\n", answer.body.len());
    }
    text += "\r\n";
    let mut message = bytes(&text);
    if method == "HEAD" {
        return message;
    }
    if !answer.is_open {
        message.extend_from_slice(&answer.body);
        return message;
    }
    for chunk in answer.body.chunks(CHUNK) {
        message.extend([format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat());
    }
    message.extend(bytes(&format!("0\r\n{}\r\n", answer.trailers.iter().map(line).collect::<String>())));
    message
}

fn says_length(answer: &Answer) -> bool {
    !answer.is_open && !matches!(answer.status, 204 | 304)
}

/// Tells of the content of each of its answers.
pub(crate) fn http2(tell: Sender<Vec<u8>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(connection(stream, tell.clone()));
            }
        });
    });
    address
}

async fn connection(stream: tokio::net::TcpStream, tell: Sender<Vec<u8>>) {
    let mut connection = h2::server::handshake(stream).await.unwrap();
    while let Some(Ok((request, respond))) = connection.accept().await {
        let tell = tell.clone();
        tokio::spawn(async move {
            // Whoever resets a stream sees no response, and the test says so.
            let _ = exchange(request, respond, &tell).await;
        });
    }
}

async fn exchange(
    request: http::Request<h2::RecvStream>,
    mut respond: SendResponse<Bytes>,
    tell: &Sender<Vec<u8>>,
) -> Result<(), h2::Error> {
    let (parts, mut content) = request.into_parts();
    let mut body = Vec::new();
    while let Some(piece) = content.data().await {
        let piece = piece?;
        content.flow_control().release_capacity(piece.len())?;
        body.extend_from_slice(&piece);
    }
    let trailers = content.trailers().await?.map(|trailers| lines(&trailers)).unwrap_or_default();
    let host = latin1(parts.uri.authority().unwrap().as_str().as_bytes());
    let target = parts.uri.path_and_query().unwrap().as_str().to_owned();
    let asked = Asked { method: parts.method.to_string(), target, host, fields: lines(&parts.headers), body, trailers };
    let answer = answer(&asked);
    // Not every test listens.
    let _ = tell.send(answer.body.clone());
    if answer.hints {
        let hint = http::Response::builder().status(103).header(HINT.0, HINT.1).body(()).unwrap();
        respond.send_informational(hint)?;
    }
    let mut head = http::Response::builder().status(answer.status).body(()).unwrap();
    *head.headers_mut() = map(&answer.fields);
    if says_length(&answer) {
        head.headers_mut().insert("content-length", answer.body.len().into());
    }
    // What is open ends with a frame of its own, as it ends with a chunk of its own.
    let is_over = asked.method == "HEAD" || (answer.body.is_empty() && !answer.is_open);
    let mut stream = respond.send_response(head, is_over)?;
    if is_over {
        return Ok(());
    }
    let is_last = answer.trailers.is_empty();
    stream.send_data(answer.body.into(), is_last)?;
    if is_last { Ok(()) } else { stream.send_trailers(map(&answer.trailers)) }
}

/// Bytes of a chunk.
const CHUNK: usize = 7000;
