use super::NameError;
use super::system::System;
use super::wire_name::WireName;

/// The full names that a name may stand for, in the order in which they are asked for (`resolv.conf(5)`): one that ends
/// with a dot is full; another with `ndots` dots is tried as it stands first, then in each domain, else last.
pub(super) fn candidates(name: &str, system: &System) -> Result<Vec<WireName>, NameError> {
    let full = WireName::parse(name).filter(|name| !name.is_root());
    let full = full.ok_or_else(|| NameError::Name(name.to_owned()))?;
    if name.ends_with('.') {
        return Ok(vec![full]);
    }
    let mut all: Vec<WireName> = system.search.iter().filter_map(|domain| full.under(domain)).collect();
    let at = if name.matches('.').count() >= system.ndots { 0 } else { all.len() };
    all.insert(at, full);
    Ok(all)
}

/// What the search for a name has come to.
#[derive(Debug)]
pub(super) enum Search<T> {
    Over(Result<T, NameError>),
    On(NameError),
}

/// Whether to go on to the next candidate after `result`, when `before` is what the earlier ones came to.
///
/// A name that is denied may stand in the next domain, and one that the server fails on is often the server's trouble with
/// that domain. But where nobody answered, the next domain's name might be another's.
pub(super) fn judge<T>(before: NameError, result: Result<T, NameError>) -> Search<T> {
    match result {
        Ok(found) => Search::Over(Ok(found)),
        Err(NameError::NotFound) => Search::On(before),
        Err(error @ (NameError::Server(..) | NameError::Refused(_))) => Search::On(error),
        Err(error) => Search::Over(Err(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried(name: &str, conf: &str) -> Vec<String> {
        candidates(name, &System::parse(conf)).unwrap().iter().map(WireName::to_string).collect()
    }

    #[test]
    fn a_short_name_is_looked_for_in_the_domains_first() {
        let conf = "search ns.cluster cluster\noptions ndots:2";
        assert_eq!(tried("app", conf), ["app.ns.cluster", "app.cluster", "app"]);
        assert_eq!(tried("app.other", conf), ["app.other.ns.cluster", "app.other.cluster", "app.other"]);
    }

    #[test]
    fn a_long_name_is_tried_as_it_stands_first() {
        assert_eq!(tried("app.example", "search a.test"), ["app.example", "app.example.a.test"]);
    }

    #[test]
    fn a_final_dot_ends_the_search_before_it_begins() {
        assert_eq!(tried("app.", "search a.test\noptions ndots:5"), ["app"]);
        assert_eq!(tried("app", ""), ["app"]);
    }

    #[test]
    fn what_is_no_name_is_not_asked_for() {
        for name in ["", ".", "a b", "a..b"] {
            assert_eq!(candidates(name, &System::parse("")), Err(NameError::Name(name.to_owned())), "{name}");
        }
    }

    #[test]
    fn the_search_goes_on_after_a_denial_but_not_after_silence() {
        let server = "127.0.0.1:53".parse().unwrap();
        let go_on = |error: NameError| matches!(judge::<()>(NameError::NotFound, Err(error)), Search::On(_));
        assert!(go_on(NameError::NotFound));
        assert!(go_on(NameError::Server(server, "SERVFAIL".to_owned())));
        assert!(!go_on(NameError::Timeout));
        assert!(!go_on(NameError::Garbled(server)));
        let failed = NameError::Refused(server);
        assert!(matches!(judge::<()>(failed.clone(), Err(NameError::NotFound)), Search::On(error) if error == failed));
    }
}
