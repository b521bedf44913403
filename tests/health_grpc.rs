//! Checks by the gRPC health protocol, against a server of the h2 crate.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering::SeqCst};
use support::{Weir, eventually};

/// A gRPC server whose health is what the test says.
struct Grpc {
    address: String,
    /// `ServingStatus`, or [`BROKEN`].
    status: Arc<AtomicU8>,
    asked: Arc<AtomicUsize>,
}

const SERVING: u8 = 1;
const NOT_SERVING: u8 = 2;
/// Says `grpc-status: 5` (NOT_FOUND) instead.
const BROKEN: u8 = 0xff;

impl Grpc {
    fn start(status: u8) -> Grpc {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (status, asked) = (Arc::new(AtomicU8::new(status)), Arc::new(AtomicUsize::new(0)));
        let shared = (status.clone(), asked.clone());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, shared.clone()));
                }
            });
        });
        Grpc { address, status, asked }
    }
}

async fn serve(stream: tokio::net::TcpStream, (status, asked): (Arc<AtomicU8>, Arc<AtomicUsize>)) {
    let mut connection = h2::server::handshake(stream).await.unwrap();
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        let status = status.load(SeqCst);
        tokio::spawn({
            let asked = asked.clone();
            async move {
                let (parts, mut body) = request.into_parts();
                let is_probe = parts.uri.path() == "/grpc.health.v1.Health/Check";
                let mut message = Vec::new();
                while let Some(chunk) = body.data().await {
                    message.extend_from_slice(&chunk.unwrap());
                }
                let mut answer = vec![0, 0, 0, 0, 2, 8, status];
                if is_probe {
                    assert_eq!(message, [&[0, 0, 0, 0, 6, 0x0a, 4][..], b"shop"].concat());
                    assert_eq!(parts.headers["content-type"], "application/grpc");
                    assert_eq!(parts.headers["te"], "trailers");
                } else {
                    asked.fetch_add(1, SeqCst);
                    answer.truncate(0);
                }
                let response = http::Response::builder().header("content-type", "application/grpc").body(()).unwrap();
                let mut stream = respond.send_response(response, false).unwrap();
                if status != BROKEN && !answer.is_empty() {
                    stream.send_data(Bytes::from(answer), false).unwrap();
                }
                let code = if status == BROKEN && is_probe { "5" } else { "0" };
                stream
                    .send_trailers([("grpc-status".parse().unwrap(), code.parse().unwrap())].into_iter().collect())
                    .unwrap();
            }
        });
    }
}

#[test]
fn a_server_gets_traffic_while_its_service_is_serving() {
    let (one, two) = (Grpc::start(SERVING), Grpc::start(NOT_SERVING));
    let text = format!(
        "[pool.app]\nbackends = [\"{}\", \"{}\"]\nprotocol = \"h2\"\n\
         health = {{ grpc = \"shop\", every = \"100ms\", timeout = \"100ms\", rise = 1, fall = 1 }}\n\
         [[route]]\npool = \"app\"\n",
        one.address, two.address
    );
    let weir = Weir::start(&text, &[]);
    let mut client = weir.client();
    let mut ask = || client.post("/shop.Cart/Get", "x").field("Content-Type", "application/grpc").sees(200);
    (0..6).for_each(|_| drop(ask()));
    assert_eq!((one.asked.load(SeqCst), two.asked.load(SeqCst)), (6, 0));
    assert!(weir.log.text().contains("gRPC health says status 2"), "{}", weir.log.text());
    two.status.store(SERVING, SeqCst);
    one.status.store(BROKEN, SeqCst);
    eventually("the first is known to be down", || weir.log.text().contains("gRPC health answered with error 5"));
    eventually("the second is up", || {
        ask();
        two.asked.load(SeqCst) > 0
    });
    let before = one.asked.load(SeqCst);
    (0..6).for_each(|_| drop(ask()));
    assert_eq!(one.asked.load(SeqCst), before);
}
