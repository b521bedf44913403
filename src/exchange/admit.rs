use super::Refusal;
use crate::config::{Action, Route};
use crate::http::path::is_ambiguous;
use crate::http::{FieldName, Length, Method, RequestHead, times_in_via};

/// Decides whether a request that met `route` may go on. `by_path`: routes depend on the path.
pub(super) fn admit(head: &RequestHead, length: Length, route: Option<&Route>, by_path: bool) -> Result<(), Refusal> {
    let allowed = match head.method {
        Method::Trace => route.is_some_and(|route| route.allow_trace),
        // A tunnel to wherever the client says is never given; an extended CONNECT is a GET by now.
        Method::Connect => route.is_some_and(|route| route.allow_connect),
        _ => true,
    };
    if !allowed {
        return Err(Refusal::Method);
    }
    if head.fields.members(FieldName::Expect).any(|member| !member.eq_ignore_ascii_case(b"100-continue")) {
        return Err(Refusal::Expectation);
    }
    if times_in_via(&head.fields) > PASSES_MAX {
        return Err(Refusal::Loop);
    }
    // Which route it met means nothing if its backend reads another path.
    if by_path && is_ambiguous(head.path()) {
        return Err(Refusal::Path);
    }
    let route = route.ok_or(Refusal::NoRoute)?;
    if route.maintenance {
        return Err(Refusal::Maintenance);
    }
    match (length, route.max_body) {
        (Length::Known(bytes), Some(max)) if bytes > max => Err(Refusal::BodyTooLarge),
        _ => Ok(()),
    }
}

/// Whether the route needs no backend.
pub(super) fn answers_itself(action: &Action) -> bool {
    matches!(action, Action::Redirect { .. } | Action::Respond { .. })
}

/// How often a request may have come through a Weir before: several in a row are no circle.
const PASSES_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(name: &str, value: &str) -> Result<(), Refusal> {
        let mut head = RequestHead { target: b"/".into(), ..Default::default() };
        head.fields.push(name.as_bytes(), value.as_bytes());
        admit(&head, Length::None, None, true)
    }

    #[test]
    fn only_one_thing_may_be_expected() {
        for (value, expected) in [
            ("100-continue", Refusal::NoRoute),
            ("100-Continue, ,", Refusal::NoRoute),
            ("", Refusal::NoRoute),
            ("200-ok", Refusal::Expectation),
            ("100-continue, more", Refusal::Expectation),
            ("100-continue=1", Refusal::Expectation),
        ] {
            assert_eq!(asks("Expect", value), Err(expected), "{value}");
        }
        assert_eq!(Refusal::Expectation.status(), 417);
    }

    #[test]
    fn a_request_that_comes_round_too_often_is_in_a_circle() {
        let passes = |count: usize| ["1.1 weir"].repeat(count).join(", ");
        assert_eq!(asks("Via", &passes(PASSES_MAX)), Err(Refusal::NoRoute));
        assert_eq!(asks("Via", &passes(PASSES_MAX + 1)), Err(Refusal::Loop));
        assert_eq!(Refusal::Loop.status(), 508);
    }

    #[test]
    fn trace_and_connect_are_refused_before_the_route_is_looked_at() {
        for method in [Method::Trace, Method::Connect] {
            let head = RequestHead { method, ..Default::default() };
            assert_eq!(admit(&head, Length::None, None, true), Err(Refusal::Method));
        }
        assert_eq!(admit(&RequestHead::default(), Length::None, None, true), Err(Refusal::NoRoute));
    }

    #[test]
    fn a_path_that_backends_read_in_two_ways_is_a_bad_request_whatever_its_route() {
        for target in ["/a//../b", "/a%2F../b", "/a\\..", "/a/..;x/b?q", "/a%00b"] {
            let head = RequestHead { target: target.into(), ..Default::default() };
            assert_eq!(admit(&head, Length::None, None, false), Err(Refusal::NoRoute), "{target}");
            assert_eq!(admit(&head, Length::None, None, true), Err(Refusal::Path), "{target}");
        }
        for target in ["/a/../b", "//a", "/a%2Fb", "/a;x/..", "/a?x=%00//../"] {
            let head = RequestHead { target: target.into(), ..Default::default() };
            assert_eq!(admit(&head, Length::None, None, true), Err(Refusal::NoRoute), "{target}");
        }
        assert_eq!(Refusal::Path.status(), 400);
    }
}
