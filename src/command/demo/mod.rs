//! `weir demo`

mod backend;
mod guide;

use crate::server::{self, RunError, Source};
use regex::{Captures, Regex};
use std::collections::HashMap;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::ExitCode;

/// `weir demo [--listen ADDRESS]`: serves `conf/demo.toml` in front of three backends of its own, and says what to try.
///
/// # Errors
/// As [`server::run`]; above all if another process has the address.
pub fn demo(listen: SocketAddr, out: &mut dyn Write) -> Result<ExitCode, RunError> {
    let mut places = HashMap::from([(LISTEN.to_owned(), listen)]);
    for (name, place) in BACKENDS {
        let socket = near(place).map_err(RunError::System)?;
        places.insert(place.to_owned(), socket.local_addr().map_err(RunError::System)?);
        backend::start(name, socket).map_err(RunError::System)?;
    }
    // Bound again in a moment: if somebody was quicker, it is said.
    let admin = near(ADMIN).and_then(|socket| socket.local_addr()).map_err(RunError::System)?;
    places.insert(ADMIN.to_owned(), admin);
    let text = with_places(CONFIGURATION, &places);
    server::run_then(&Source::Text("conf/demo.toml", text), || {
        // Output that nobody reads is no reason to stop.
        let _ = guide::print(listen, admin, out);
    })
}

/// The embedded configuration, whose addresses are places to be filled.
const CONFIGURATION: &str = include_str!("../../../conf/demo.toml");

/// Where `weir demo` listens unless told otherwise; as it stands in the configuration.
pub const LISTEN: &str = "127.0.0.1:8080";
const ADMIN: &str = "127.0.0.1:9180";
const BACKENDS: [(&str, &str); 3] = [("one", "127.0.0.1:9001"), ("two", "127.0.0.1:9002"), ("three", "127.0.0.1:9003")];

/// Binds `wanted`, or a free port of the loopback if that is taken.
fn near(wanted: &str) -> io::Result<TcpListener> {
    TcpListener::bind(wanted).or_else(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
}

/// Replaces all addresses at once: a new one may look like an old one that is still to be replaced.
fn with_places(text: &str, places: &HashMap<String, SocketAddr>) -> String {
    let address = Regex::new(r"127\.0\.0\.1:[0-9]+").expect("an expression that compiles");
    let place = |found: &Captures<'_>| places.get(&found[0]).map_or_else(|| found[0].to_owned(), ToString::to_string);
    address.replace_all(text, place).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_stands_in_the_configuration_and_is_filled_at_once() {
        for place in BACKENDS.map(|(_, place)| place).into_iter().chain([LISTEN, ADMIN]) {
            assert!(CONFIGURATION.contains(&format!("\"{place}\"")), "{place}");
        }
        let places = HashMap::from([
            ("127.0.0.1:1".to_owned(), "127.0.0.1:2".parse().unwrap()),
            ("127.0.0.1:2".to_owned(), "[::1]:3".parse().unwrap()),
        ]);
        let text = with_places("a 127.0.0.1:1 b 127.0.0.1:2 c 127.0.0.1:25", &places);
        assert_eq!(text, "a 127.0.0.1:2 b [::1]:3 c 127.0.0.1:25");
    }
}
