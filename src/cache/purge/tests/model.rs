//! Purges held against a naive model: a list of them that is walked.

use super::*;
use proptest::prelude::*;

/// What a purge names, read off without any hash.
fn names(what: &What, url: &str, tags: &[String]) -> bool {
    let (scheme, rest) = url.split_once("://").unwrap();
    let authority = rest.split(['/', '?']).next().unwrap();
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, port.to_owned()),
        None => (authority, if scheme == "https" { "443" } else { "80" }.to_owned()),
    };
    let name = String::from_utf8(what.name().to_vec()).unwrap();
    match what {
        What::Url(_) => name == url,
        What::Prefix(_) => url.starts_with(&name),
        What::Host(_) => name == host || name == format!("{host}:{port}"),
        What::Tag(_) => tags.contains(&name),
        What::All => true,
    }
}

fn urls() -> impl Strategy<Value = String> {
    "https?://[ab](:(80|443|81))?/[ab]{0,3}(\\?[ab])?".prop_map(|url| {
        // In the form of keys.
        let default = if url.starts_with("https") { ":443" } else { ":80" };
        url.replacen(&format!("{default}/"), "/", 1)
    })
}

fn whats() -> impl Strategy<Value = What> {
    prop_oneof![
        4 => urls().prop_map(|url| What::Url(url.into())),
        4 => urls().prop_map(|url| What::Prefix(url.into())),
        2 => "[ab](:(80|443|81))?".prop_map(|host| What::Host(host.into())),
        6 => "[tuv]".prop_map(|tag| What::Tag(tag.into())),
        1 => Just(What::All),
    ]
}

#[derive(Clone, Debug)]
enum Step {
    Purge(What, Mode),
    Store(String, Vec<String>),
    /// The process ends, and another one reads the journal; or what it was compacted to.
    Restart(bool),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (whats(), prop_oneof![Just(Mode::Hard), Just(Mode::Soft)]).prop_map(|(what, mode)| Step::Purge(what, mode)),
        4 => (urls(), prop::collection::vec("[tuv]", 0..3)).prop_map(|(url, tags)| Step::Store(url, tags)),
        1 => any::<bool>().prop_map(Step::Restart),
    ];
    prop::collection::vec(step, 1..60)
}

/// Walks them all, as nothing does that is fast.
fn naive(purged: &[(What, Mode, u64)], born: u64, url: &str, tags: &[String]) -> Verdict {
    let hits = purged.iter().filter(|(what, _, generation)| born < *generation && names(what, url, tags));
    hits.map(|(_, mode, _)| if *mode == Mode::Hard { Verdict::Gone } else { Verdict::Stale })
        .max()
        .unwrap_or(Verdict::Lives)
}

proptest! {
    #[test]
    fn it_says_what_a_walk_over_all_purges_would_say(steps in steps()) {
        let mut purges = super::purges();
        let (mut purged, mut stored, mut journal) = (Vec::new(), Vec::new(), Vec::new());
        for step in steps {
            match step {
                Step::Purge(what, mode) => {
                    let noted = purges.purge(&what, mode);
                    prop_assert!(!noted.widened && noted.collapsed == 0);
                    journal.push(Purges::encode(&what, mode, noted.generation));
                    purged.push((what, mode, noted.generation));
                }
                Step::Store(url, tags) => stored.push((purges.generation(), url, tags)),
                Step::Restart(is_compacted) => {
                    if is_compacted {
                        journal = purges.records().into_iter().map(|(_, record)| record).collect();
                    }
                    let generation = purges.generation();
                    purges = super::purges();
                    for record in &journal {
                        prop_assert!(purges.replay(record));
                    }
                    purges.raise(generation);
                }
            }
            for (born, url, tags) in &stored {
                let names: Vec<&str> = tags.iter().map(String::as_str).collect();
                let expected = naive(&purged, *born, url, tags);
                prop_assert_eq!(verdict(&purges, *born, url, &names), expected, "{} {} {:?}", born, url, tags);
            }
        }
    }

    #[test]
    fn no_bytes_of_a_journal_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..64), valid: bool) {
        let mut bytes = bytes;
        if valid && bytes.len() > 18 {
            bytes[0] = 1;
            bytes[1] %= 5;
            bytes[9] = 0;
            bytes[17] = 0;
        }
        let purges = super::purges();
        let taken = purges.replay(&bytes);
        prop_assert_eq!(taken, purges.generation() > 0);
        let _ = verdict(&purges, 0, URL, &["t"]);
    }
}
