use serde_json::Value;
use std::net::SocketAddr;
use std::path::PathBuf;

/// What a descriptor is that one process hands to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::server) enum Slot {
    /// A worker's socket of the listener with that address in the configuration; in the order of the workers.
    Listener(SocketAddr),
    /// Of a TCP listener that systemd gave to the first process.
    Given(SocketAddr),
    /// The same on a path.
    GivenUnix(PathBuf),
    /// Of the admin listener, by its name.
    Admin(String),
    /// The lock of the state directory on that path: no socket.
    State(PathBuf),
    /// The memory that stands for it: no socket.
    Memory,
    /// What only a newer process knows.
    Unknown,
}

/// One line that says what each of the descriptors is.
pub(super) fn encode<'s>(slots: impl IntoIterator<Item = &'s Slot>) -> String {
    let sockets: Vec<_> = slots.into_iter().map(Slot::to_json).collect();
    format!("{}\n", serde_json::json!({ "weir": VERSION, "sockets": sockets }))
}

/// Reads it; white space in front is ignored.
///
/// # Errors
/// In words: it is none, or of a version that is not known.
pub(super) fn decode(text: &str) -> Result<Vec<Slot>, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| format!("the hand-over is malformed: {error}"))?;
    if value["weir"] != VERSION {
        return Err(format!("the hand-over is of version {}, and this binary knows {VERSION}", value["weir"]));
    }
    let sockets = value["sockets"].as_array().ok_or("the hand-over is malformed: no list of sockets")?;
    Ok(sockets.iter().map(Slot::from_json).collect())
}

impl Slot {
    fn to_json(&self) -> Value {
        match self {
            Slot::Listener(address) => serde_json::json!(["listener", address.to_string()]),
            Slot::Given(address) => serde_json::json!(["given", address.to_string()]),
            Slot::GivenUnix(path) => serde_json::json!(["given-unix", path.to_string_lossy()]),
            Slot::Admin(name) => serde_json::json!(["admin", name]),
            Slot::State(path) => serde_json::json!(["state", path.to_string_lossy()]),
            Slot::Memory => serde_json::json!(["memory", ""]),
            Slot::Unknown => Value::Null,
        }
    }

    fn from_json(value: &Value) -> Slot {
        let (Some(kind), Some(name)) = (value[0].as_str(), value[1].as_str()) else { return Slot::Unknown };
        let address = |slot: fn(SocketAddr) -> Slot| name.parse().map_or(Slot::Unknown, slot);
        match kind {
            "listener" => address(Slot::Listener),
            "given" => address(Slot::Given),
            "given-unix" => Slot::GivenUnix(name.into()),
            "admin" => Slot::Admin(name.to_owned()),
            "state" => Slot::State(name.into()),
            "memory" => Slot::Memory,
            _ => Slot::Unknown,
        }
    }
}

/// Of the hand-over.
const VERSION: u32 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded() {
        let slots = vec![
            Slot::Listener("127.0.0.1:80".parse().unwrap()),
            Slot::Listener("[fe80::1%3]:443".parse().unwrap()),
            Slot::Given("[::]:80".parse().unwrap()),
            Slot::GivenUnix("/run/a b\n\"c\"".into()),
            Slot::Admin("unix:/run/weir.sock".into()),
            Slot::State("/var/lib/weir".into()),
            Slot::Memory,
        ];
        let text = encode(&slots);
        assert_eq!(text.matches('\n').count(), 1);
        assert_eq!(decode(&format!("    {text}")), Ok(slots));
    }

    #[test]
    fn what_is_not_known_is_told_apart_from_what_is_wrong() {
        let later = "{\"weir\":1,\"sockets\":[[\"quic\",\"[::]:443\"],[\"listener\",\"?\"],7,[]],\"more\":{}}";
        assert_eq!(decode(later), Ok(vec![Slot::Unknown; 4]));
        for wrong in ["", "{}", "{\"weir\":2,\"sockets\":[]}", "{\"weir\":1}", "x", "{\"weir\":1,\"sockets\":[]"] {
            assert!(decode(wrong).is_err(), "{wrong}");
        }
    }
}
