//! Who is served first where not all can be.

use crate::config::{Priority, Route, RoutePriority};
use crate::http::{RequestHead, URGENCY_DEFAULT, urgency};

/// Of a client's request.
pub(super) fn priority(route: &Route, head: &RequestHead) -> Priority {
    match route.priority {
        RoutePriority::Fixed(priority) => priority,
        RoutePriority::Client => match urgency(&head.fields) {
            URGENCY_DEFAULT => Priority::Normal,
            ..URGENCY_DEFAULT => Priority::High,
            _ => Priority::Low,
        },
    }
}

/// Of a fetch for the cache; `background`: nobody waits for it.
pub(super) fn fetch_priority(route: &Route, background: bool) -> Priority {
    match route.priority {
        _ if background => Priority::Low,
        RoutePriority::Fixed(priority) => priority,
        // It may be for several.
        RoutePriority::Client => Priority::Normal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Action, Place};

    fn route(priority: RoutePriority) -> Route {
        let action = Action::Respond { status: 200, content_type: String::new(), body: String::new() };
        let place = Place { file: "weir.toml".into(), line: 1 };
        Route { priority, ..Route::plain(place, String::new(), action) }
    }

    #[test]
    fn a_client_says_it_only_where_it_is_believed() {
        let said = |route: &Route, urgency: Option<&str>| {
            let mut head = RequestHead::default();
            urgency.iter().for_each(|urgency| head.fields.push(b"priority", urgency.as_bytes()));
            priority(route, &head)
        };
        let (fixed, client) = (route(RoutePriority::Fixed(Priority::Normal)), route(RoutePriority::Client));
        for (urgency, expected) in [
            (None, Priority::Normal),
            (Some("u=0"), Priority::High),
            (Some("u=2, i"), Priority::High),
            (Some("u=3"), Priority::Normal),
            (Some("u=4"), Priority::Low),
            (Some("u=7"), Priority::Low),
            (Some("nonsense!"), Priority::Normal),
        ] {
            assert_eq!((said(&fixed, urgency), said(&client, urgency)), (Priority::Normal, expected), "{urgency:?}");
        }
    }

    #[test]
    fn what_nobody_waits_for_comes_last_and_what_is_for_several_has_no_clients_word() {
        let high = route(RoutePriority::Fixed(Priority::High));
        assert_eq!((fetch_priority(&high, false), fetch_priority(&high, true)), (Priority::High, Priority::Low));
        assert_eq!(fetch_priority(&route(RoutePriority::Client), false), Priority::Normal);
    }
}
