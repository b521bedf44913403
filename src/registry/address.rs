use std::net::{IpAddr, SocketAddr};

/// The address of a backend that registers: an IP address and a port that others can connect to.
///
/// A name is none: it could stand for another address tomorrow than the one that was judged. Nor is a path: whoever may
/// register is not to reach all sockets of this machine.
///
/// # Errors
/// What is wrong with it, in words.
pub fn parse(text: &str) -> Result<SocketAddr, &'static str> {
    let address: SocketAddr = text.parse().map_err(|_| "an address is an IP address with a port")?;
    // One backend has one spelling: ::ffff:10.0.0.1 is 10.0.0.1.
    let address = match address.ip().to_canonical() {
        IpAddr::V4(ip) => SocketAddr::new(ip.into(), address.port()),
        IpAddr::V6(_) => address,
    };
    match address.ip() {
        _ if address.port() == 0 => Err("nobody listens on port 0"),
        ip if ip.is_unspecified() => Err("that is no address of a backend, but of all of this machine"),
        ip if ip.is_multicast() => Err("that is a multicast address"),
        IpAddr::V4(ip) if ip.is_broadcast() => Err("that is a broadcast address"),
        _ => Ok(address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_that_can_be_connected_to_and_in_one_spelling() {
        let read = |text: &str| parse(text).map(|address| address.to_string());
        for good in ["127.0.0.1:80", "10.0.0.7:8000", "[::1]:80", "[fe80::1%3]:443"] {
            assert_eq!(read(good).as_deref(), Ok(good));
        }
        assert_eq!(read("[::ffff:10.0.0.7]:8000").as_deref(), Ok("10.0.0.7:8000"));
        for bad in [
            "",
            "10.0.0.7",
            "10.0.0.7:0",
            "0.0.0.0:80",
            "[::]:80",
            "[::ffff:0.0.0.0]:80",
            "224.0.0.1:80",
            "[ff02::1]:80",
            "255.255.255.255:80",
            "app:80",
            "unix:/run/a.sock",
            "010.0.0.1:80",
            "10.0.0.7:99999",
            "10.0.0.7:80 ",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
