//! What a head becomes on its way: hop-by-hop fields go, Weir's own come, the route's edits are made.

use super::{Client, Refusal, max_forwards};
use crate::clock::Clock;
use crate::config::{Action, Route};
use crate::http::{
    FieldName, Fields, Hop, RequestHead, ResponseHead, Target, is_alike, push_via, set_forwarded, set_request_id,
    strip_hop_by_hop,
};
use crate::route;

/// Makes the request that the client sent the one that the backend gets.
pub(super) fn request(head: &mut RequestHead, client: &Client, route: &Route, id: u128) -> Result<(), Refusal> {
    let trailers = head.fields.has(FieldName::Te)
        && head.fields.members(FieldName::Te).any(|member| member.eq_ignore_ascii_case(b"trailers"));
    strip_hop_by_hop(&mut head.fields).map_err(|_| Refusal::ConnectionOptions)?;
    if trailers {
        head.fields.push_known(FieldName::Te, b"trailers");
    }
    max_forwards::count_down(head);
    let trusted = client.is_trusted();
    let hop = Hop { peer: client.peer.ip(), scheme: client.scheme, authority: &head.authority, trusted };
    set_forwarded(&mut head.fields, &hop);
    push_via(&mut head.fields, head.version);
    set_request_id(&mut head.fields, id, trusted);
    if !trusted || client.subject().is_some() {
        // Some backends could not tell it from ours.
        head.fields.retain(|name, text, _| name != FieldName::Other || !is_alike(CLIENT_SUBJECT, text));
    }
    if let (Some(rewrite), Target::Origin) = (&route.rewrite, head.form) {
        route::rewrite(rewrite, &mut head.target);
    }
    if !route.request.is_empty() {
        if let Some(host) = route::host_override(&route.request) {
            head.authority.clear();
            head.authority.extend_from_slice(host.as_bytes());
        }
        route::edit(&route.request, &mut head.fields);
    }
    if matches!(route.action, Action::ReadWrite { read_your_writes: Some(_), .. }) {
        route::strip_wrote_cookie(&mut head.fields);
    }
    Ok(())
}

/// Who the client proved to be, before anything is decided by it; whatever it says of that itself is not believed.
pub(super) fn vouch(fields: &mut Fields, client: &Client) {
    match client.subject() {
        Some(subject) => fields.set(FieldName::XClientSubject, subject.as_bytes()),
        None if fields.has(FieldName::XClientSubject) && !client.is_trusted() => {
            fields.remove(FieldName::XClientSubject);
        }
        None => {}
    }
}

/// Makes the response that the backend sent one that may be stored, and that a client may get.
pub(super) fn response(head: &mut ResponseHead, clock: &Clock) -> Result<(), Refusal> {
    strip_hop_by_hop(&mut head.fields).map_err(|_| Refusal::BackendProtocol("connection_options"))?;
    if !head.fields.has(FieldName::Date) {
        // RFC 9110 §6.6.1: a recipient with a clock adds what is missing.
        clock.date().with(|date| head.fields.push_known(FieldName::Date, date));
    }
    Ok(())
}

/// Makes the route's edits, which are for clients: what is stored is without them.
pub(super) fn edit(head: &mut ResponseHead, route: &Route) {
    if !route.response.is_empty() {
        route::edit(&route.response, &mut head.fields);
    }
}

/// Carries the subject of a client's certificate to backends.
const CLIENT_SUBJECT: &[u8] = FieldName::XClientSubject.as_str().as_bytes();
