use super::Refusal;
use crate::config::{Action, Route};
use crate::http::path::is_ambiguous;
use crate::http::{Length, Method, RequestHead};

/// Decides whether a request that met `route` may go on.
pub(super) fn admit(head: &RequestHead, length: Length, route: Option<&Route>) -> Result<(), Refusal> {
    let allowed = match head.method {
        Method::Trace => route.is_some_and(|route| route.allow_trace),
        // A tunnel to wherever the client says is never given; an extended CONNECT is a GET by now.
        Method::Connect => route.is_some_and(|route| route.allow_connect),
        _ => true,
    };
    if !allowed {
        return Err(Refusal::Method);
    }
    // Which route it met means nothing if its backend reads another path.
    if is_ambiguous(head.path()) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trace_and_connect_are_refused_before_the_route_is_looked_at() {
        for method in [Method::Trace, Method::Connect] {
            let head = RequestHead { method, ..Default::default() };
            assert_eq!(admit(&head, Length::None, None), Err(Refusal::Method));
        }
        assert_eq!(admit(&RequestHead::default(), Length::None, None), Err(Refusal::NoRoute));
    }

    #[test]
    fn a_path_that_backends_read_in_two_ways_is_a_bad_request_whatever_its_route() {
        for target in ["/a//../b", "/a%2F../b", "/a\\..", "/a/..;x/b?q", "/a%00b"] {
            let head = RequestHead { target: target.into(), ..Default::default() };
            assert_eq!(admit(&head, Length::None, None), Err(Refusal::Path), "{target}");
        }
        for target in ["/a/../b", "//a", "/a%2Fb", "/a;x/..", "/a?x=%00//../"] {
            let head = RequestHead { target: target.into(), ..Default::default() };
            assert_eq!(admit(&head, Length::None, None), Err(Refusal::NoRoute), "{target}");
        }
        assert_eq!(Refusal::Path.status(), 400);
    }
}
