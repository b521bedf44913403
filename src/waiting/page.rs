//! What one who waits is shown: no script, nothing from elsewhere, and no word that comes from the client.

use super::{Bad, Waiting};
use crate::http::PageKind;
use std::fmt::Write;
use std::time::Duration;

/// A page for somebody.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// How it stands with him.
    pub waiting: &'a Waiting,
    /// Why he has a new place, where he had another.
    pub note: Option<Bad>,
    /// Whether it comes back by itself.
    pub returns: bool,
}

/// An operator's own page, in which `{place}`, `{wait}`, `{minutes}`, `{refresh}` and `{note}` stand for what is so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Place,
    Wait,
    Minutes,
    Refresh,
    Note,
}

impl Template {
    /// Reads a page. Braces with anything else between them are text: style sheets are full of them.
    #[must_use]
    pub fn read(text: &str) -> Template {
        let mut pieces = Vec::new();
        let (mut rest, mut from) = (text, 0);
        while let Some(at) = rest[from..].find('{').map(|at| at + from) {
            match PLACEHOLDERS.iter().find(|(name, _)| rest[at..].starts_with(name)) {
                Some((name, piece)) => {
                    pieces.push(Piece::Text(rest[..at].to_owned()));
                    pieces.push(piece.clone());
                    (rest, from) = (&rest[at + name.len()..], 0);
                }
                None => from = at + 1,
            }
        }
        pieces.push(Piece::Text(rest.to_owned()));
        Template(pieces)
    }

    fn fill(&self, page: &Page<'_>) -> String {
        let mut out = String::new();
        for piece in &self.0 {
            let _ = match piece {
                Piece::Text(text) => out.write_str(text),
                Piece::Place if page.waiting.number == 0 => out.write_str("–"),
                Piece::Place => write!(out, "{}", page.waiting.place),
                Piece::Wait => out.write_str(&words(page.waiting.wait)),
                Piece::Minutes => match page.waiting.wait {
                    Some(wait) => write!(out, "{}", minutes(wait)),
                    None => out.write_str("–"),
                },
                Piece::Refresh => write!(out, "{}", page.waiting.refresh.as_secs()),
                Piece::Note => out.write_str(page.note.map_or("", said)),
            };
        }
        out
    }
}

const PLACEHOLDERS: &[(&str, Piece)] = &[
    ("{place}", Piece::Place),
    ("{wait}", Piece::Wait),
    ("{minutes}", Piece::Minutes),
    ("{refresh}", Piece::Refresh),
    ("{note}", Piece::Note),
];

impl Page<'_> {
    /// Its Content-Type and content, in that form; `own`: the operator's page, for those who want HTML.
    #[must_use]
    pub fn write(&self, form: PageKind, own: Option<&Template>, status: u16) -> (&'static str, String) {
        match form {
            PageKind::Html => ("text/html; charset=utf-8", own.map_or_else(|| self.html(), |own| own.fill(self))),
            PageKind::Json => ("application/json", self.json(status)),
            PageKind::Plain => ("text/plain; charset=utf-8", self.plain()),
        }
    }

    fn html(&self) -> String {
        let mut main = String::new();
        if let Some(note) = self.note {
            let _ = writeln!(main, "<p>{}</p>", said(note));
        }
        let lines = self.lines();
        for line in lines {
            let _ = writeln!(main, "<p>{line}</p>");
        }
        let title = self.title();
        format!(
            "{HTML_HEAD}<title>{title}</title></head>\n<body><main>\n<h1>{title}</h1>\n{main}<p><a href=\"\">Look now</a></p>\n</main></body></html>\n"
        )
    }

    fn plain(&self) -> String {
        let note = self.note.map(|note| format!("{}\n", said(note))).unwrap_or_default();
        format!("{}\n{note}{}\n", self.title(), self.lines().join("\n"))
    }

    fn json(&self, status: u16) -> String {
        let Waiting { number, place, waiting, wait, refresh } = *self.waiting;
        let value = serde_json::json!({
            "status": status,
            "error": "waiting",
            "place": (number != 0).then_some(place),
            "waiting": waiting,
            "wait_seconds": wait.map(|wait| wait.as_secs()),
            "refresh_seconds": refresh.as_secs(),
            "note": self.note.map(said),
        });
        format!("{value}\n")
    }

    fn title(&self) -> &'static str {
        if self.waiting.number == 0 { "There is no room at this moment" } else { "You are in line" }
    }

    fn lines(&self) -> Vec<String> {
        let Waiting { number, place, wait, refresh, .. } = *self.waiting;
        let mut lines = Vec::new();
        if number != 0 {
            lines.push(format!("Your place: {place}."));
        }
        if number != 0 || wait.is_some() {
            lines.push(format!("Expected wait: {}.", words(wait)));
        }
        lines.push(match (self.returns, refresh.as_secs()) {
            (true, 1) => "This page looks again by itself, in a second.".to_owned(),
            (true, seconds) => format!("This page looks again by itself, in {seconds} seconds. Leave it open."),
            (false, _) => "Please try again later.".to_owned(),
        });
        lines
    }
}

/// A wait, as people say it.
fn words(wait: Option<Duration>) -> String {
    let Some(wait) = wait else { return "not known yet".to_owned() };
    match (wait.as_secs(), minutes(wait)) {
        (0..45, _) => "less than a minute".to_owned(),
        (_, 1) => "about a minute".to_owned(),
        (_, minutes @ 2..90) => format!("about {minutes} minutes"),
        (_, minutes) => format!("about {} hours", minutes.div_ceil(60)),
    }
}

fn minutes(wait: Duration) -> u64 {
    wait.as_secs().div_ceil(60)
}

/// Why a place is new.
fn said(note: Bad) -> &'static str {
    match note {
        Bad::Forged => "The ticket that you had could not be read, so this is a new place.",
        Bad::Copied => "The place that you had belongs to another device or network, so this is a new one.",
        Bad::Spent => "Your turn was over, so this is a new place.",
    }
}

const HTML_HEAD: &str = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
<meta name=\"viewport\" content=\"width=device-width\"><meta name=\"color-scheme\" content=\"light dark\">\
<style>body{font:1.1em/1.5 sans-serif;margin:15vh auto;max-width:32em;padding:0 1em}</style>";

#[cfg(test)]
mod tests {
    use super::*;

    const WAITING: Waiting = Waiting {
        number: 77,
        place: 12,
        waiting: 340,
        wait: Some(Duration::from_secs(150)),
        refresh: Duration::from_secs(5),
    };

    fn written(form: PageKind, own: Option<&Template>, note: Option<Bad>) -> String {
        Page { waiting: &WAITING, note, returns: true }.write(form, own, 503).1
    }

    #[test]
    fn each_form_says_place_wait_and_refresh() {
        let json: serde_json::Value = serde_json::from_str(&written(PageKind::Json, None, None)).unwrap();
        assert_eq!(
            json,
            serde_json::json!({ "status": 503, "error": "waiting", "place": 12, "waiting": 340, "wait_seconds": 150,
                "refresh_seconds": 5, "note": null })
        );
        for form in [PageKind::Html, PageKind::Plain] {
            let text = written(form, None, Some(Bad::Copied));
            for part in ["You are in line", "place: 12", "about 3 minutes", "in 5 seconds", "another device"] {
                assert!(text.contains(part), "{part}: {text}");
            }
        }
    }

    #[test]
    fn the_page_needs_nothing_from_elsewhere() {
        let html = written(PageKind::Html, None, None);
        assert!(!html.contains("http") && !html.contains("src=") && !html.contains("<script"), "{html}");
        assert!(html.starts_with("<!doctype html>") && html.contains("<html lang=\"en\">") && html.contains("<h1>"));
    }

    #[test]
    fn an_own_page_is_filled_where_it_asks_to_be() {
        let own = Template::read("<style>p{color:red}</style>{place}, {wait}; {minutes} {refresh}s {other} {note}{");
        assert_eq!(
            written(PageKind::Html, Some(&own), None),
            "<style>p{color:red}</style>12, about 3 minutes; 3 5s {other} {"
        );
        assert!(written(PageKind::Html, Some(&own), Some(Bad::Spent)).contains("Your turn was over"));
        assert!(written(PageKind::Json, Some(&own), None).starts_with('{'));
        assert_eq!(written(PageKind::Html, Some(&Template::read("")), None), "");
    }

    #[test]
    fn one_without_a_number_has_no_place() {
        let waiting = Waiting { number: 0, wait: None, ..WAITING };
        let page = Page { waiting: &waiting, note: None, returns: false };
        let json: serde_json::Value = serde_json::from_str(&page.write(PageKind::Json, None, 503).1).unwrap();
        assert!(json["place"].is_null() && json["wait_seconds"].is_null());
        let text = page.write(PageKind::Plain, None, 503).1;
        assert_eq!(text, "There is no room at this moment\nPlease try again later.\n");
    }

    #[test]
    fn waits_are_said_as_people_say_them() {
        for (seconds, expected) in [
            (1, "less than a minute"),
            (50, "about a minute"),
            (61, "about 2 minutes"),
            (3600, "about 60 minutes"),
            (7200, "about 2 hours"),
            (7300, "about 3 hours"),
        ] {
            assert_eq!(words(Some(Duration::from_secs(seconds))), expected);
        }
        assert_eq!(words(None), "not known yet");
    }
}
