use super::conditions::Conditions;
use super::paths::Paths;

use crate::config::{HostPattern, Route, order};
use crate::http::RequestHead;
use crate::http::path::with_view;
use std::collections::HashMap;
use std::net::IpAddr;

/// The routes of a configuration, arranged so that a request finds its own by hash look-ups: ten thousand hosts cost
/// no more than ten.
///
/// Hosts are compared case-insensitively, without port and final dot. Paths are compared in the normalised view of
/// [`crate::http::path`], so that no spelling of a path walks around its route. Maps are keyed at random, each its own.
#[derive(Debug)]
pub struct Table {
    conditions: Vec<Conditions>,
    exact: HashMap<Box<[u8]>, Paths>,
    /// By suffix, its leading dot included.
    wildcard: HashMap<Box<[u8]>, Paths>,
    /// Dots in the longest wildcard suffix: a client's host of 100 labels costs no 100 look-ups.
    wildcard_dots: usize,
    any: Paths,
    looks_at_paths: bool,
    /// Some route has a path: without one nobody needs the view of a request's.
    has_paths: bool,
}

impl Table {
    /// Arranges `routes`, which were checked.
    #[must_use]
    pub fn build(routes: &[Route]) -> Table {
        let mut table = Table {
            conditions: routes.iter().map(Conditions::of).collect(),
            exact: HashMap::new(),
            wildcard: HashMap::new(),
            wildcard_dots: 0,
            any: Paths::default(),
            looks_at_paths: routes
                .iter()
                .any(|route| !route.paths.is_empty() || route.rewrite.is_some() || route.access.is_some()),
            has_paths: routes.iter().any(|route| !route.paths.is_empty()),
        };
        for rank in order(routes) {
            table.paths_of(rank.host).add(&rank);
        }
        table.any.seal();
        table.exact.values_mut().chain(table.wildcard.values_mut()).for_each(Paths::seal);
        table
    }

    /// The route that `head` from `client` meets, as an index into the routes given to [`build`](Self::build).
    #[must_use]
    pub fn find(&self, head: &RequestHead, client: IpAddr) -> Option<usize> {
        match self.has_paths {
            true => with_view(head.path(), |path| self.find_by(head, path, client)),
            false => self.find_by(head, b"/", client),
        }
    }

    fn find_by(&self, head: &RequestHead, path: &[u8], client: IpAddr) -> Option<usize> {
        let holds = |route: usize| self.conditions[route].hold(head, client);
        if self.exact.is_empty() && self.wildcard.is_empty() {
            return self.any.find(path, holds);
        }
        let mut room = [0; HOST_MAX];
        let host = lower_case(head.host(), &mut room);
        self.hosts(host).find_map(|paths| paths.find(path, holds)).or_else(|| self.any.find(path, holds))
    }

    /// Whether any route depends on the path, or on who asks for it, so that it matters how a backend reads it.
    #[must_use]
    pub fn looks_at_paths(&self) -> bool {
        self.looks_at_paths
    }

    /// What is known of `host`: exactly, then by its wildcards, longest suffix first.
    fn hosts<'a>(&'a self, host: &'a [u8]) -> impl Iterator<Item = &'a Paths> {
        let from = match self.wildcard_dots {
            0 => host.len(),
            dots => memchr::memrchr_iter(b'.', host).take(dots).last().unwrap_or(host.len()),
        };
        let suffixes = memchr::memchr_iter(b'.', &host[from..]).map(move |at| from + at).filter(|&at| at > 0);
        self.exact.get(host).into_iter().chain(suffixes.filter_map(move |at| self.wildcard.get(&host[at..])))
    }

    fn paths_of(&mut self, host: Option<&HostPattern>) -> &mut Paths {
        match host {
            Some(HostPattern::Exact(name)) => self.exact.entry(key(name)).or_default(),
            Some(HostPattern::Wildcard(suffix)) => {
                let key = key(suffix);
                self.wildcard_dots = self.wildcard_dots.max(memchr::memchr_iter(b'.', &key).count());
                self.wildcard.entry(key).or_default()
            }
            None => &mut self.any,
        }
    }
}

fn key(host: &str) -> Box<[u8]> {
    host.trim_end_matches('.').to_ascii_lowercase().into_bytes().into()
}

/// `host` in lower case without its final dot; empty, which no pattern matches, if it is longer than names can be.
fn lower_case<'a>(host: &[u8], room: &'a mut [u8; HOST_MAX]) -> &'a [u8] {
    let host = host.strip_suffix(b".").unwrap_or(host);
    let Some(lower) = room.get_mut(..host.len()) else { return &[] };
    lower.copy_from_slice(host);
    lower.make_ascii_lowercase();
    lower
}

/// Bytes: RFC 1035 §2.3.4.
const HOST_MAX: usize = 255;

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
