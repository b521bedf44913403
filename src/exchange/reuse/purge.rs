//! The method PURGE, as peers have it: all variants of one URL, from the networks that the configuration names.

use super::{Question, is_within};
use crate::cache::purge::{Mode, What};
use crate::exchange::attempts::Trail;
use crate::exchange::serve::{Course, Scratch};
use crate::exchange::{Downstream, Refusal};
use crate::http::FieldName;
use crate::telemetry::access::End;
use std::sync::Arc;

impl Course<'_> {
    pub(super) async fn purge<D: Downstream>(
        &self,
        question: &Question<'_>,
        scratch: &mut Scratch,
        down: &mut D,
        trail: &mut Trail,
    ) -> End {
        let Some((_, route)) = self.route.filter(|_| is_within(&question.config.purge, self.client)) else {
            return self.refuse(Refusal::Method, scratch, down, trail).await;
        };
        let url = question.key[question.url_at..].to_vec();
        let (generation, at) = (Arc::clone(&self.held.generation), question.id.0);
        // It is written down, which waits for the disk: not on this thread.
        let purging = move || generation.snapshot.caches[at].purge(&What::Url(url), Mode::Hard);
        let (status, text) = match tokio::task::spawn_blocking(purging).await {
            Ok(Ok(done)) => (200, format!("purged, variants in memory: {}\n", done.objects.unwrap_or(0))),
            Ok(Err(error)) => (500, format!("purged, but that may not outlive a crash: {error}\n")),
            Err(_) => (500, "not purged\n".to_owned()),
        };
        let response = &mut scratch.response;
        response.clear();
        response.status = status;
        response.fields.push_known(FieldName::Server, b"weir");
        self.worker.clock.date().with(|date| response.fields.push_known(FieldName::Date, date));
        response.fields.push_known(FieldName::ContentType, b"text/plain; charset=utf-8");
        self.say(text.as_bytes(), route, scratch, down, trail).await
    }
}
