//! Sends raw cases through Weir to a strict origin, each followed by a marker on the same connection and an honest
//! request on another: whatever was not asked for and is seen anyway is a desync.

use super::origin::{Heard, Origin};
use super::strict::Wrong;
use super::support::{Cut, NoReply, Reader, Weir, half_close, honest, say};
use std::sync::Mutex;

/// Raw bytes of one or more requests, and what has to become of them.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) rule: String,
    pub(crate) raw: Vec<u8>,
    pub(crate) want: Want,
}

/// What has to become of a case.
#[derive(Clone, Debug)]
pub(crate) enum Want {
    /// One of those statuses, then the end of the connection; the origin hears nothing at all.
    Refused(&'static [u16]),
    /// The same, but the head was good: the origin may have heard the beginning of a message, never a whole one.
    Cut(&'static [u16]),
    /// The origin hears exactly these (method, target, host, content), and the connection goes on.
    Passes(Vec<String>),
    /// The same, then the connection ends: the marker is not heard.
    Last(Vec<String>),
    /// The origin hears exactly these; what follows them is refused with 400, and the connection ends.
    ThenRefused(Vec<String>),
    /// Weir answers by itself with that status, the connection goes on, and the origin hears nothing but the marker.
    Answered(u16),
}

pub(crate) fn refused(rule: &str, raw: impl AsRef<[u8]>) -> Case {
    Case { rule: rule.to_owned(), raw: raw.as_ref().to_vec(), want: Want::Refused(&[400]) }
}

pub(crate) fn refused_as(statuses: &'static [u16], rule: &str, raw: impl AsRef<[u8]>) -> Case {
    Case { rule: rule.to_owned(), raw: raw.as_ref().to_vec(), want: Want::Refused(statuses) }
}

pub(crate) fn cut(rule: &str, raw: impl AsRef<[u8]>) -> Case {
    Case { rule: rule.to_owned(), raw: raw.as_ref().to_vec(), want: Want::Cut(&[400]) }
}

pub(crate) fn passes(rule: &str, raw: impl AsRef<[u8]>, heard: &[&str]) -> Case {
    let heard = heard.iter().map(|line| (*line).to_owned()).collect();
    Case { rule: rule.to_owned(), raw: raw.as_ref().to_vec(), want: Want::Passes(heard) }
}

pub(crate) fn last(rule: &str, raw: impl AsRef<[u8]>, heard: &[&str]) -> Case {
    let heard = heard.iter().map(|line| (*line).to_owned()).collect();
    Case { rule: rule.to_owned(), raw: raw.as_ref().to_vec(), want: Want::Last(heard) }
}

pub(crate) fn answered(status: u16, rule: &str, raw: impl AsRef<[u8]>) -> Case {
    Case { rule: rule.to_owned(), raw: raw.as_ref().to_vec(), want: Want::Answered(status) }
}

const MARKER: &str = "GET /marker HTTP/1.1\r\nHost: marker\r\n\r\n";
const MARKED: &str = "GET /marker marker";

/// Weirs and origins that judge at the same time; cases of one lane follow each other.
const LANES: usize = 4;

/// Judges all cases, each sent in one piece and in small ones; fails with the list of those that went wrong.
pub(crate) fn judge(cases: &[Case]) {
    let wrong = Mutex::new(Vec::new());
    let queue = Mutex::new(cases.iter().flat_map(|case| [(case, Cut::Whole), (case, Cut::Pieces(3))]));
    std::thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| {
                let origin = Origin::start();
                let listener = "timeouts = { head = \"2s\", body = \"1s\" }\nlimits = { head = \"8KiB\", fields = 50 }";
                let weir = Weir::start(origin.address, listener, "", "");
                loop {
                    let Some((case, cut)) = queue.lock().unwrap().next() else { return };
                    if let Err(why) = one(&weir, &origin, case, cut) {
                        let raw = String::from_utf8_lossy(&case.raw).chars().take(400).collect::<String>();
                        wrong.lock().unwrap().push(format!("{} ({cut:?}): {why}\n    {raw:?}", case.rule));
                    }
                }
            });
        }
    });
    let mut wrong = wrong.into_inner().unwrap();
    wrong.sort();
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len() * 2, wrong.join("\n"));
}

fn one(weir: &Weir, origin: &Origin, case: &Case, cut: Cut) -> Result<(), String> {
    let mut stream = weir.connect();
    say(&mut stream, &[&case.raw, MARKER.as_bytes()].concat(), cut);
    let (lines, goes_on) = match &case.want {
        Want::Passes(lines) => ([lines.as_slice(), &[MARKED.to_owned()]].concat(), true),
        Want::Last(lines) | Want::ThenRefused(lines) => (lines.clone(), false),
        Want::Answered(_) => (vec![MARKED.to_owned()], true),
        Want::Refused(_) | Want::Cut(_) => (Vec::new(), false),
    };
    let replies = replies(&mut Reader::new(&stream), case, &lines, goes_on);
    half_close(&stream);
    drop(stream);
    let path = "/honest";
    honest(weir, path);
    let heard = origin.take(|heard| heard.iter().any(|it| matches!(it, Heard::Request(_, m) if m.target == path)));
    replies?;
    heard_only(&heard, &lines, matches!(case.want, Want::Cut(_)))
}

/// Reads what has to come back.
fn replies(reader: &mut Reader<'_>, case: &Case, lines: &[String], goes_on: bool) -> Result<(), String> {
    let ahead = match &case.want {
        Want::Refused(statuses) | Want::Cut(statuses) => Some(*statuses),
        Want::Answered(status) => Some(std::slice::from_ref(status)),
        Want::Passes(_) | Want::Last(_) | Want::ThenRefused(_) => None,
    };
    if let Some(statuses) = ahead {
        let reply = reader.reply("GET").map_err(|why| format!("no answer: {why:?}"))?;
        if !statuses.contains(&reply.status) {
            return Err(format!("answered {}, not {statuses:?}", reply.status));
        }
    }
    for line in lines {
        let mut words = line.split(' ');
        let (method, target) = (words.next().unwrap(), words.next().unwrap());
        let reply = reader.reply(method).map_err(|why| format!("no answer to {line:?}: {why:?}"))?;
        let saw = format!("{method} {target}");
        if (reply.status, reply.field("x-saw")) != (200, Some(&saw)) {
            return Err(format!("answer to {line:?}: {} {:?}", reply.status, reply.field("x-saw")));
        }
    }
    if matches!(case.want, Want::ThenRefused(_)) {
        let reply = reader.reply("GET").map_err(|why| format!("no refusal: {why:?}"))?;
        if reply.status != 400 {
            return Err(format!("then answered {}, not 400", reply.status));
        }
    }
    match goes_on {
        true if reader.rest().is_empty() => Ok(()),
        true => Err(format!("more than was asked for: {:?}", String::from_utf8_lossy(reader.rest()))),
        false => match reader.reply("GET") {
            Err(NoReply::Closed) => Ok(()),
            other => Err(format!("then {other:?}, not the end")),
        },
    }
}

fn heard_only(heard: &[Heard], lines: &[String], may_be_cut: bool) -> Result<(), String> {
    let mut expected = lines.iter();
    for it in heard {
        match it {
            Heard::Request(_, message) if message.target == "/honest" => {}
            Heard::Request(_, message) => match expected.next() {
                Some(line) if *line == message.line() => {}
                other => return Err(format!("the origin heard {:?}, not {other:?}", message.line())),
            },
            Heard::Wrong(_, Wrong::Truncated(_)) if may_be_cut => {}
            // Who answers before it has heard all need not hear the rest.
            Heard::Wrong(_, Wrong::Truncated(head)) if head == "POST /early a" => {
                expected.next().filter(|line| line.starts_with(head)).ok_or("an early answer to nobody")?;
            }
            Heard::Wrong(_, wrong) => return Err(format!("the origin heard {wrong:?}")),
            Heard::Tunnel(_, bytes) => {
                return Err(format!("the origin heard a tunnel: {:?}", String::from_utf8_lossy(bytes)));
            }
        }
    }
    expected.next().map_or(Ok(()), |line| Err(format!("the origin never heard {line:?}")))
}
