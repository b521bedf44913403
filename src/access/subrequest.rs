use super::Own;
use crate::http::{FieldName, Fields, Method, RequestHead, Target, strip_conditions};

/// The question to an authorising backend: GET for `path` with the client's own fields, but nothing that speaks of content,
/// of a part or a condition (its answer would be another), or of an upgrade.
#[must_use]
pub fn subrequest(asked: &RequestHead, path: &str) -> RequestHead {
    let mut head = RequestHead {
        method: Method::Get,
        version: asked.version,
        scheme: asked.scheme,
        form: Target::Origin,
        target: path.into(),
        authority: asked.authority.clone(),
        protocol: Vec::new(),
        fields: asked.fields.clone(),
    };
    let fields = &mut head.fields;
    strip_conditions(fields);
    for name in OF_CONTENT {
        fields.remove(*name);
    }
    Own::of(TOLD.iter().copied()).strip(fields);
    head
}

/// Tells what was asked for, by the names that Traefik and Caddy use. Last of all, so that no client says it.
pub fn forwarded_for(asked: &RequestHead, fields: &mut Fields) {
    fields.push(b"x-forwarded-method", asked.method.as_str().as_bytes());
    fields.push(b"x-forwarded-uri", &asked.target);
}

/// Gone from the question.
const OF_CONTENT: &[FieldName] = &[
    FieldName::ContentLength,
    FieldName::ContentType,
    FieldName::ContentEncoding,
    FieldName::ContentRange,
    FieldName::Expect,
    FieldName::MaxForwards,
    FieldName::Range,
    FieldName::SecWebSocketKey,
    FieldName::SecWebSocketVersion,
    FieldName::Te,
    FieldName::Trailer,
];

/// Names by which authorising backends are told what was asked for; whatever a client says there is not passed on.
const TOLD: &[&str] = &[
    "x-forwarded-method",
    "x-forwarded-uri",
    "x-forwarded-path",
    "x-original-method",
    "x-original-uri",
    "x-original-url",
    "x-rewrite-url",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_question_has_what_tells_who_asks_and_nothing_that_would_change_the_answer() {
        let mut asked = RequestHead {
            method: Method::Post,
            target: b"/a?b=c".into(),
            authority: b"shop.example".into(),
            protocol: b"websocket".into(),
            ..Default::default()
        };
        for (name, value) in [
            ("Cookie", "s=1"),
            ("Authorization", "Basic x"),
            ("Content-Length", "5"),
            ("content-type", "a/b"),
            ("Expect", "100-continue"),
            ("Range", "bytes=0-1"),
            ("If-None-Match", "*"),
            ("If-Range", "x"),
            ("X-Forwarded-Uri", "/forged"),
            ("X_Forwarded_Method", "forged"),
            ("X-Original-URL", "/forged"),
            ("Accept", "text/html"),
        ] {
            asked.fields.push(name.as_bytes(), value.as_bytes());
        }
        let mut head = subrequest(&asked, "/check?x");
        forwarded_for(&asked, &mut head.fields);
        let seen: Vec<_> = head.fields.iter().map(|(_, name, value)| [name, b": ", value].concat()).collect();
        let seen: Vec<_> = seen.iter().map(|line| std::str::from_utf8(line).unwrap()).collect();
        let expected = [
            "Cookie: s=1",
            "Authorization: Basic x",
            "Accept: text/html",
            "x-forwarded-method: POST",
            "x-forwarded-uri: /a?b=c",
        ];
        assert_eq!(seen, expected);
        assert_eq!(
            (head.method, &head.target[..], &head.authority[..]),
            (Method::Get, &b"/check?x"[..], &b"shop.example"[..])
        );
        assert!(head.protocol.is_empty());
    }
}
