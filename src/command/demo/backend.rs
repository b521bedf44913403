//! The backends of `weir demo`.

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::channel::Channel;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use std::{io, thread};
use tokio::time::sleep;

type Content = BoxBody<Bytes, hyper::Error>;

/// Answers on `socket`, on a thread of its own, for as long as the process lives.
pub(super) fn start(name: &'static str, socket: TcpListener) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    thread::Builder::new().name(format!("demo-{name}")).spawn(move || runtime.block_on(accept(name, socket)))?;
    Ok(())
}

async fn accept(name: &'static str, socket: TcpListener) {
    let socket = match tokio::net::TcpListener::from_std(socket) {
        Ok(socket) => socket,
        Err(error) => return tracing::error!(%error, name, "a backend of the demo cannot start"),
    };
    let answered = Arc::new(AtomicU64::new(0));
    loop {
        match socket.accept().await {
            Ok((stream, _)) => {
                let answered = answered.clone();
                let service = service_fn(move |request| {
                    let number = answered.fetch_add(1, Relaxed) + 1;
                    async move { Ok::<_, Infallible>(answer(name, number, request).await) }
                });
                let mut server = http1::Builder::new();
                let connection = server.timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service);
                // How a connection ends concerns its client alone.
                tokio::spawn(async move { drop(connection.await) });
            }
            Err(_) => sleep(ACCEPT_PAUSE).await,
        }
    }
}

/// `number`: how many requests this backend has had, this one included.
async fn answer(name: &str, number: u64, request: Request<Incoming>) -> Response<Content> {
    let path = request.uri().path().to_owned();
    match path.as_str() {
        "/" => html(name, number),
        "/json" => json(name, number, &request),
        "/headers" => text(StatusCode::OK, fields(name, &request)),
        "/echo" => Response::new(request.into_body().boxed()),
        "/slow" => {
            sleep(SLOW).await;
            text(StatusCode::OK, format!("backend {name}, after {} s\n", SLOW.as_secs()))
        }
        "/report" => report(name, number).await,
        "/sse" => events(name.to_owned()),
        _ => match path.strip_prefix("/status/").map(str::parse::<StatusCode>) {
            // A final status; those below 200 are no answer.
            Some(Ok(status)) if status.as_u16() >= 200 => text(status, format!("backend {name} says {status}\n")),
            Some(_) => text(StatusCode::BAD_REQUEST, format!("backend {name} knows no such status\n")),
            None => text(StatusCode::NOT_FOUND, format!("backend {name} has no {path}\n")),
        },
    }
}

fn html(name: &str, number: u64) -> Response<Content> {
    let page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Weir: backend {name}</title></head>\n\
         <body><h1>Backend {name} answered</h1><p>This was its request number {number}. Reload the page.</p></body></html>\n"
    );
    respond(StatusCode::OK, "text/html; charset=utf-8", page)
}

fn json(name: &str, number: u64, request: &Request<Incoming>) -> Response<Content> {
    let method = request.method().as_str();
    let value =
        serde_json::json!({ "backend": name, "number": number, "method": method, "path": request.uri().path() });
    respond(StatusCode::OK, "application/json", format!("{value}\n"))
}

/// Something that is worth storing.
async fn report(name: &str, number: u64) -> Response<Content> {
    sleep(SLOW).await;
    let line = |at: u32| format!("line {at} of a report that backend {name} made for request {number}\n");
    let mut response = text(StatusCode::OK, (1..=REPORT_LINES).map(line).collect());
    let life = header::HeaderValue::from_static("max-age=60, stale-while-revalidate=60");
    response.headers_mut().insert(header::CACHE_CONTROL, life);
    response
}

fn fields(name: &str, request: &Request<Incoming>) -> String {
    let line = |(name, value): (&header::HeaderName, &header::HeaderValue)| {
        format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes()))
    };
    let fields: String = request.headers().iter().map(line).collect();
    format!("backend {name} got:\n{} {}\n{fields}", request.method(), request.uri())
}

/// Server-sent events, until there were enough or nobody listens.
fn events(name: String) -> Response<Content> {
    let (mut sender, channel) = Channel::<Bytes, hyper::Error>::new(1);
    tokio::spawn(async move {
        for number in 1..=EVENTS {
            let event = format!("id: {number}\ndata: event {number} of {EVENTS} from backend {name}\n\n");
            if sender.send_data(event.into()).await.is_err() {
                return;
            }
            sleep(EVENT_EVERY).await;
        }
    });
    let mut response = Response::new(channel.boxed());
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/event-stream"));
    response.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-cache"));
    response
}

fn text(status: StatusCode, text: String) -> Response<Content> {
    respond(status, "text/plain; charset=utf-8", text)
}

fn respond(status: StatusCode, content_type: &'static str, text: String) -> Response<Content> {
    let content = Full::new(Bytes::from(text)).map_err(|never: Infallible| match never {}).boxed();
    let mut response = Response::new(content);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(content_type));
    response
}

/// How long a report is: worth a coding.
const REPORT_LINES: u32 = 20;

/// How long `/slow` and `/report` take.
const SLOW: Duration = Duration::from_secs(2);

/// How many events `/sse` sends, and how often.
const EVENTS: u32 = 10;
const EVENT_EVERY: Duration = Duration::from_secs(1);

/// How long accepting rests after a failure.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
