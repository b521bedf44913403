//! Clients of both versions that ask the same.

use super::cases::{Case, Content};
use super::seen::{Seen, bytes, lines, map};
use super::support::{PATIENCE, Weir};
use ::bytes::Bytes;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

/// What all ask for.
const HOST: &str = "test.example";

pub(crate) fn http1(weir: &Weir, case: &Case) -> Seen {
    let mut client = weir.client();
    let _ = client.try_send(message(case));
    let response = client.response(case.method).unwrap_or_else(|broken| panic!("{}: {broken:?}", case.name));
    Seen {
        status: response.status,
        fields: response.fields.0,
        body: response.body,
        trailers: response.trailers.0,
        interim: response.interim.into_iter().map(|interim| (interim.status, interim.fields.0)).collect(),
    }
}

fn message(case: &Case) -> Vec<u8> {
    let line = |(name, value): &(String, String)| format!("{name}: {value}\r\n");
    let mut text = format!("{} {} HTTP/1.1\r\nHost: {HOST}\r\n", case.method, case.target);
    text.extend(case.fields.iter().map(line));
    if case.fields.iter().any(|(name, _)| name.eq_ignore_ascii_case("te")) {
        text += "Connection: TE\r\n";
    }
    match &case.content {
        Content::None => bytes(&(text + "\r\n")),
        Content::Known(content) => {
            [&bytes(&format!("{text}Content-Length: {}\r\n\r\n", content.len())), &content[..]].concat()
        }
        Content::Open(content, trailers) => {
            let mut message = bytes(&(text + "Transfer-Encoding: chunked\r\n\r\n"));
            for chunk in content.chunks(5000) {
                message.extend([format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat());
            }
            message.extend(bytes(&format!("0\r\n{}\r\n", trailers.iter().map(line).collect::<String>())));
            message
        }
    }
}

pub(crate) fn http2(weir: &Weir, case: &Case) -> Seen {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let seen = runtime.block_on(async { tokio::time::timeout(PATIENCE, ask(weir, case)).await });
    seen.unwrap_or_else(|_| panic!("{}: no answer", case.name)).unwrap_or_else(|why| panic!("{}: {why}", case.name))
}

async fn ask(weir: &Weir, case: &Case) -> Result<Seen, h2::Error> {
    let stream = tokio::net::TcpStream::connect(weir.address()).await.unwrap();
    let (client, connection) = h2::client::handshake(stream).await?;
    tokio::spawn(connection);
    let mut client = client.ready().await?;
    let (response, mut content) = client.send_request(head(case), matches!(case.content, Content::None))?;
    // Who refuses content does not take it; the response says why.
    match &case.content {
        Content::None => {}
        Content::Known(body) => drop(content.send_data(Bytes::copy_from_slice(body), true)),
        Content::Open(body, trailers) => {
            let is_last = trailers.is_empty();
            let sent = content.send_data(Bytes::copy_from_slice(body), is_last);
            if sent.is_ok() && !is_last {
                let _ = content.send_trailers(map(trailers));
            }
        }
    }
    receive(response).await
}

fn head(case: &Case) -> http::Request<()> {
    let uri = http::Uri::builder().scheme("http").authority(HOST).path_and_query(case.target).build().unwrap();
    let mut head = http::Request::builder().method(case.method).uri(uri).body(()).unwrap();
    *head.headers_mut() = map(&case.fields.iter().flat_map(crumbs).collect::<Vec<_>>());
    if let Content::Known(content) = &case.content {
        head.headers_mut().insert("content-length", content.len().into());
    }
    head
}

/// Cookies one by one, as browsers send them by HTTP/2 (RFC 9113 §8.2.3).
fn crumbs((name, value): &(String, String)) -> Vec<(String, String)> {
    let parts = if name == "Cookie" { value.split("; ").collect() } else { vec![value.as_str()] };
    parts.into_iter().map(|part| (name.clone(), part.to_owned())).collect()
}

async fn receive(response: h2::client::ResponseFuture) -> Result<Seen, h2::Error> {
    let mut seen = Seen::default();
    let mut response = pin!(response);
    let answer = poll_fn(|cx| {
        while let Poll::Ready(Some(interim)) = response.poll_informational(cx) {
            let interim = interim?;
            seen.interim.push((interim.status().as_u16(), lines(interim.headers())));
        }
        response.as_mut().poll(cx)
    })
    .await?;
    let (parts, mut content) = answer.into_parts();
    (seen.status, seen.fields) = (parts.status.as_u16(), lines(&parts.headers));
    while let Some(piece) = content.data().await {
        let piece = piece?;
        content.flow_control().release_capacity(piece.len())?;
        seen.body.extend_from_slice(&piece);
    }
    seen.trailers = content.trailers().await?.map(|trailers| lines(&trailers)).unwrap_or_default();
    Ok(seen)
}
