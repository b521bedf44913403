//! A name server that says what the test wants, over UDP.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Answers A and SRV questions; whatever it does not know is denied (NXDOMAIN).
pub struct Dns {
    address: SocketAddr,
    records: Arc<Mutex<HashMap<String, Vec<Record>>>>,
}

/// One record, with a TTL of one second.
#[derive(Clone, Debug)]
pub enum Record {
    A(Ipv4Addr),
    /// Weight, port, target.
    Srv(u16, u16, &'static str),
}

impl Dns {
    pub fn start() -> Dns {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let address = socket.local_addr().unwrap();
        let records = Arc::<Mutex<HashMap<String, Vec<Record>>>>::default();
        let shared = records.clone();
        std::thread::spawn(move || {
            let mut query = [0; 512];
            while let Ok((len, from)) = socket.recv_from(&mut query) {
                let reply = answer(&query[..len], &shared.lock().unwrap());
                let _ = socket.send_to(&reply, from);
            }
        });
        Dns { address, records }
    }

    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// From now on the name stands for these; for none, it is denied.
    pub fn says(&self, name: &str, records: &[Record]) {
        self.records.lock().unwrap().insert(name.to_owned(), records.to_vec());
    }
}

/// RFC 1035 §4.
fn answer(query: &[u8], records: &HashMap<String, Vec<Record>>) -> Vec<u8> {
    let (mut name, mut at) = (String::new(), 12);
    while query[at] != 0 {
        let len = usize::from(query[at]);
        name += &format!("{}.", String::from_utf8_lossy(&query[at + 1..=at + len]).to_ascii_lowercase());
        at += len + 1;
    }
    let question = &query[12..at + 5];
    let kind = u16::from_be_bytes([query[at + 1], query[at + 2]]);
    let known = records.get(name.trim_end_matches('.')).filter(|records| !records.is_empty());
    let fitting: Vec<Vec<u8>> = known.into_iter().flatten().filter_map(|record| data(record, kind)).collect();
    let mut reply = query[..2].to_vec();
    reply.extend_from_slice(&[0x84, if known.is_some() { 0 } else { 3 }, 0, 1]);
    reply.extend_from_slice(&u16::try_from(fitting.len()).unwrap().to_be_bytes());
    reply.extend_from_slice(&[0; 4]);
    reply.extend_from_slice(question);
    for data in fitting {
        reply.extend_from_slice(&[0xc0, 12]);
        reply.extend_from_slice(&kind.to_be_bytes());
        reply.extend_from_slice(&[0, 1, 0, 0, 0, 1]);
        reply.extend_from_slice(&u16::try_from(data.len()).unwrap().to_be_bytes());
        reply.extend_from_slice(&data);
    }
    reply
}

fn data(record: &Record, kind: u16) -> Option<Vec<u8>> {
    match (record, kind) {
        (Record::A(address), 1) => Some(address.octets().to_vec()),
        (Record::Srv(weight, port, target), 33) => {
            let mut data = vec![0, 0];
            data.extend_from_slice(&weight.to_be_bytes());
            data.extend_from_slice(&port.to_be_bytes());
            for label in target.split('.') {
                data.push(u8::try_from(label.len()).unwrap());
                data.extend_from_slice(label.as_bytes());
            }
            data.push(0);
            Some(data)
        }
        _ => None,
    }
}
