//! Purges as they stand in the stream.

use super::FleetError;
use super::names::Names;
use super::scripts;
use crate::cache::purge::{Mode, What};
use crate::live::Purge;
use redis::aio::ConnectionLike;

/// One of the stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct News {
    pub(super) number: u64,
    pub(super) id: String,
    pub(super) purge: Purge,
}

/// Fields of one, in any order; those of an unknown name are from a newer version.
type Fields = Vec<(Vec<u8>, Vec<u8>)>;

/// Reads those behind `after`, [`PAGE`] at most.
pub(super) async fn read(link: &mut impl ConnectionLike, names: &Names, after: u64) -> Result<Vec<News>, FleetError> {
    let mut cmd = redis::cmd("XRANGE");
    cmd.arg(&names.purges).arg(format!("{}-0", after.saturating_add(1))).arg("+").arg("COUNT").arg(PAGE);
    let entries: Vec<(String, Fields)> = cmd.query_async(link).await?;
    entries.into_iter().map(|(id, fields)| understand(&id, fields)).collect()
}

/// Appends one; its number.
pub(super) async fn write(
    link: &mut impl ConnectionLike,
    names: &Names,
    id: &str,
    purge: &Purge,
) -> Result<u64, FleetError> {
    let script = scripts::publish();
    let mut call = script.prepare_invoke();
    call.key(&names.number).key(&names.purges).arg(KEPT_MAX).arg("id").arg(id);
    call.arg("mode").arg(if purge.mode == Mode::Soft { "soft" } else { "hard" });
    if let Some(cache) = &purge.cache {
        call.arg("cache").arg(cache);
    }
    for what in &purge.what {
        call.arg(what.kind()).arg(what.name());
    }
    Ok(call.invoke_async(link).await?)
}

fn understand(entry: &str, fields: Fields) -> Result<News, FleetError> {
    let number = entry.split_once('-').and_then(|(number, _)| number.parse().ok());
    let number = number.ok_or(FleetError::Strange("an entry without a number"))?;
    let mut news = News { number, id: String::new(), purge: Purge { cache: None, what: Vec::new(), mode: Mode::Hard } };
    let text = |value: Vec<u8>| String::from_utf8_lossy(&value).into_owned();
    for (name, value) in fields {
        match &*name {
            b"id" => news.id = text(value),
            b"cache" => news.purge.cache = Some(text(value)),
            b"mode" if value == b"soft" => news.purge.mode = Mode::Soft,
            b"mode" => {}
            b"url" => news.purge.what.push(What::Url(value)),
            b"prefix" => news.purge.what.push(What::Prefix(value)),
            b"host" => news.purge.what.push(What::Host(value)),
            b"tag" => news.purge.what.push(What::Tag(value)),
            // What is not understood may name anything.
            _ => news.purge.what.push(What::All),
        }
    }
    if news.id.is_empty() {
        news.id = format!("?{number}");
    }
    if news.purge.what.is_empty() {
        news.purge.what.push(What::All);
    }
    Ok(news)
}

/// Purges that Redis keeps, about: who was away for longer purges everything.
pub(super) const KEPT_MAX: usize = 10_000;

/// Purges read at once.
pub(super) const PAGE: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(list: &[(&str, &str)]) -> Fields {
        list.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec())).collect()
    }

    #[test]
    fn what_is_not_understood_purges_everything_and_never_less() {
        let known =
            understand("7-0", fields(&[("id", "a"), ("mode", "soft"), ("cache", "pages"), ("tag", "x")])).unwrap();
        let purge = Purge { cache: Some("pages".into()), what: vec![What::Tag(b"x".to_vec())], mode: Mode::Soft };
        assert_eq!(known, News { number: 7, id: "a".into(), purge });
        for strange in [fields(&[("id", "a"), ("colour", "red")]), fields(&[("id", "a")]), fields(&[])] {
            assert_eq!(understand("8-0", strange).unwrap().purge.what, [What::All]);
        }
        assert!(understand("x", Vec::new()).is_err());
    }
}
