use crate::config::AdminListen;
use std::fmt;
use std::str::FromStr;

/// How to reach an admin listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// As a configuration says it.
    At(AdminListen),
    /// A name with a port, to be looked up each time.
    Named(String),
}

impl FromStr for Reach {
    type Err = String;

    /// Reads what [`Display`](fmt::Display) writes.
    fn from_str(text: &str) -> Result<Reach, String> {
        match text.parse() {
            Ok(listen) => Ok(Reach::At(listen)),
            Err(_) if is_named(text) => Ok(Reach::Named(text.to_owned())),
            Err(why) => Err(format!("{why}, or a name with a port")),
        }
    }
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reach::At(listen) => listen.fmt(f),
            Reach::Named(name) => name.fmt(f),
        }
    }
}

fn is_named(text: &str) -> bool {
    let Some((name, port)) = text.rsplit_once(':') else { return false };
    let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    // What consists of digits and dots is an address that was mistyped.
    let is_name = name.bytes().all(is_of_name) && name.bytes().any(|byte| byte.is_ascii_alphabetic());
    is_name && port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_a_path_and_a_name_are_told_apart() {
        for text in ["127.0.0.1:9180", "[::1]:9180", "unix:/run/weir.sock"] {
            let reach: Reach = text.parse().unwrap();
            assert!(matches!(reach, Reach::At(_)) && reach.to_string() == text, "{text}");
        }
        for text in ["localhost:9180", "weir-admin.default.svc:80", "weir_1:1"] {
            assert_eq!(text.parse(), Ok(Reach::Named(text.to_owned())));
        }
        for text in
            ["", "weir", "weir:", ":9180", "weir:0", "weir:65536", "weir:+1", "10.0.0:80", "a b:80", "http://a:80"]
        {
            assert!(text.parse::<Reach>().unwrap_err().contains("a name with a port"), "{text}");
        }
    }
}
