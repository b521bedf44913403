use weir::cache::purge::parse::{host, prefix, tag, url};
use weir::cache::purge::{NotPurgeable, What};
use weir::http::{
    Allowed, Asked, Defaults, FieldName, Fields, IfFailed, Life, Method, Normal, Qualified, RequestDirectives,
    ResponseDirectives, Reuse, Times, freshened, is_hop_by_hop, is_name, is_selecting, is_value, matches, may_reuse,
    push_selecting, same_origin_target, selected, storable,
};

/// Fields of a request, of its response, and of a later 304, then a reference or what is to be purged: `name: value` on
/// lines, an empty line after each of them.
pub(crate) fn check(data: &[u8]) {
    let mut lines = data.split(|&b| b == b'\n');
    let [request, response, later] =
        std::array::from_fn(|_| fields(lines.by_ref().take_while(|line| !line.is_empty())));
    lives(&request, &response);
    varies(&request, &response);
    freshens(&response, &later);
    let text = lines.next().unwrap_or_default();
    resolves(text);
    if let Ok(text) = std::str::from_utf8(text) {
        purges(text);
    }
}

fn fields<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Fields {
    let mut fields = Fields::default();
    for line in lines {
        let Some(at) = line.iter().position(|&b| b == b':') else { continue };
        let (name, value) = (&line[..at], line[at + 1..].trim_ascii());
        if is_name(name) && is_value(value) {
            fields.push(name, value);
        }
    }
    fields
}

fn lives(request: &Fields, response: &Fields) {
    let (asks, says) = (RequestDirectives::of(request), ResponseDirectives::of(response));
    let times = Times { asked_ms: NOW_MS - 500, answered_ms: NOW_MS };
    let defaults = Defaults { ttl: Some(5), stale_while_revalidate: 3, stale_if_error: 7, stale_if_disconnected: 9 };
    for (status, defaults) in [(200, Defaults::default()), (599, defaults)] {
        let life = Life::of(status, response, &says, &defaults, times);
        for now_ms in [NOW_MS, NOW_MS + 1000, NOW_MS + life.fresh_ms, life.ends_ms(), u64::MAX] {
            let (reuse, ttl) = (may_reuse(&life, &asks, now_ms), life.ttl(now_ms));
            match reuse {
                Reuse::Fresh => assert!(ttl >= 0 && !life.no_cache && life.age_ms(now_ms) < life.fresh_ms),
                Reuse::WhileRevalidate => assert!(ttl <= 0 && !life.no_cache && !says.forbids_stale()),
                Reuse::Stale => assert!(ttl <= 0 && asks.max_stale.is_some() && !says.forbids_stale()),
                Reuse::Validate(if_failed) => assert!(if_failed == IfFailed::Unusable || !says.forbids_stale()),
            }
            assert!(!asks.no_cache || says.immutable || matches!(reuse, Reuse::Validate(_)));
        }
        let asked = Asked { method: &Method::Get, directives: asks, authorized: false, ranged: false };
        if storable(&asked, status, response, &says, Allowed::default()).is_ok() {
            assert!(!asks.no_store && says.private != Qualified::All && (!says.no_store || says.must_understand));
        }
    }
}

fn varies(request: &Fields, response: &Fields) {
    let normal = Normal { fields: vec![b"x-sizes"[..].into()] };
    let mut selecting = Vec::new();
    push_selecting(response, request, &normal, &mut selecting);
    assert!(is_selecting(&selecting) && matches(&selecting, request, &normal, || None));
    assert_eq!(selected(&selecting, request, &normal), selecting);
}

fn freshens(stored: &Fields, new: &Fields) {
    let directives = ResponseDirectives::of(new);
    let once = freshened(stored, new, &directives);
    assert!(once.iter().all(|(name, ..)| !is_hop_by_hop(name) && name != FieldName::Age));
    // By what is said now, or still: what a stored response leaves to the one who asks stays so.
    let still = ResponseDirectives::of(&once);
    let names = |says: &ResponseDirectives| {
        let mut named = says.no_cache.fields().iter().chain(says.private.fields());
        named.any(|name| name.eq_ignore_ascii_case(b"content-encoding"))
    };
    assert_eq!(
        once.get(FieldName::ContentEncoding),
        stored.get(FieldName::ContentEncoding).filter(|_| !names(&directives) && !names(&still))
    );
    assert!(freshened(&once, new, &directives).iter().eq(once.iter()));
}

fn resolves(reference: &[u8]) {
    let target = same_origin_target(reference, b"http://a:81/b/c?d");
    let Some(target) = target else { return };
    assert!(target.starts_with(b"/") && !target.contains(&b'#'));
    let reference = reference.to_ascii_lowercase();
    assert!(!reference.starts_with(b"http://") || reference.starts_with(b"http://a:81"));
}

fn purges(text: &str) {
    if text.contains("..") {
        // Of the dots at the end of a host one is dropped each time, as in keys.
        return;
    }
    again(url, text);
    // Of the stars at its end one stands for any rest, each time it is read.
    if !text.ends_with("**") {
        again(prefix, text);
    }
    again(|text| host(text).map(|what| vec![what]), text);
    again(|text| tag(text).map(|what| vec![what]), text);
}

/// What was read is in its own form: read again, it is itself.
fn again(read: impl Fn(&str) -> Result<Vec<What>, NotPurgeable>, text: &str) {
    for what in read(text).unwrap_or_default() {
        let name = std::str::from_utf8(what.name()).expect("text comes of text");
        assert_eq!(read(name), Ok(vec![what.clone()]));
    }
}

/// 2026-11-24
const NOW_MS: u64 = 1_795_478_400_000;
