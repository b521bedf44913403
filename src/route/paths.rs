use crate::config::{PathPattern, Rank};
use crate::http::path::with_view;
use regex::bytes::Regex;
use std::cmp::Ordering;
use std::collections::HashMap;

/// The paths of one host: a hash look-up, then a binary search, then regexes one by one.
#[derive(Debug, Default)]
pub(super) struct Paths {
    exact: HashMap<Box<[u8]>, Vec<usize>>,
    /// Sorted by bytes, so that a prefix stands before all that it begins.
    prefixes: Vec<Prefix>,
    regexes: Vec<(Regex, Vec<usize>)>,
    every: Vec<usize>,
}

#[derive(Debug)]
struct Prefix {
    text: Box<[u8]>,
    /// The longest other prefix that this one begins with.
    parent: Option<usize>,
    routes: Vec<usize>,
}

impl Paths {
    /// Adds a way in; to be called in order of precedence, then [`Paths::seal`].
    pub(super) fn add(&mut self, rank: &Rank<'_>) {
        match rank.path {
            Some(PathPattern::Exact(path)) => self.exact.entry(view(path)).or_default().push(rank.route),
            Some(PathPattern::Prefix(path)) => {
                self.prefixes.push(Prefix { text: view(path), parent: None, routes: vec![rank.route] });
            }
            Some(PathPattern::Regex(regex)) => match self.regexes.last_mut() {
                Some((last, routes)) if last.as_str() == regex.as_str() => routes.push(rank.route),
                _ => self.regexes.push((regex.clone(), vec![rank.route])),
            },
            None => self.every.push(rank.route),
        }
    }

    /// Sorts the prefixes and finds their parents.
    pub(super) fn seal(&mut self) {
        self.prefixes.sort_by(|a, b| a.text.cmp(&b.text)); // stable: equal ones keep their precedence
        self.prefixes.dedup_by(|later, first| {
            let same = later.text == first.text;
            if same {
                first.routes.append(&mut later.routes);
            }
            same
        });
        let mut open: Vec<usize> = Vec::new();
        for at in 0..self.prefixes.len() {
            while open.pop_if(|&mut up| !self.prefixes[at].text.starts_with(&self.prefixes[up].text)).is_some() {}
            self.prefixes[at].parent = open.last().copied();
            open.push(at);
        }
    }

    /// The first route whose path matches the normalised view `path` and for which `holds` says yes.
    pub(super) fn find(&self, path: &[u8], holds: impl Fn(usize) -> bool) -> Option<usize> {
        let first = |routes: &[usize]| routes.iter().copied().find(|&route| holds(route));
        self.exact
            .get(path)
            .and_then(|routes| first(routes))
            .or_else(|| self.prefixes_of(path).find_map(|prefix| first(&prefix.routes)))
            .or_else(|| {
                let mut matching = self.regexes.iter().filter(|(regex, _)| regex.is_match(path));
                matching.find_map(|(_, routes)| first(routes))
            })
            .or_else(|| first(&self.every))
    }

    /// The prefixes that `path` begins with, longest first.
    fn prefixes_of(&self, path: &[u8]) -> impl Iterator<Item = &Prefix> {
        // All prefixes of a text sort at or before it, and those begin whatever stands between.
        let after = self.prefixes.partition_point(|prefix| compare(&prefix.text, path) != Ordering::Greater);
        std::iter::successors(after.checked_sub(1), |&at| self.prefixes[at].parent)
            .map(|at| &self.prefixes[at])
            .filter(|prefix| begins(&prefix.text, path))
    }
}

/// Orders `prefix` against `path` with a slash at its end, so that `/a/` begins `/a`.
fn compare(prefix: &[u8], path: &[u8]) -> Ordering {
    match prefix.get(..path.len()) {
        Some(front) if !path.ends_with(b"/") => front.cmp(path).then_with(|| prefix[path.len()..].cmp(b"/")),
        _ => prefix.cmp(path),
    }
}

fn begins(prefix: &[u8], path: &[u8]) -> bool {
    // CONNECT has an empty path, and that is not `/` without its slash.
    !path.is_empty() && (path.starts_with(prefix) || prefix.strip_suffix(b"/") == Some(path))
}

/// Patterns are compared in the same spelling as requests.
pub(super) fn view(pattern: &str) -> Box<[u8]> {
    with_view(pattern.as_bytes(), |view| view.into())
}
