//! The method PURGE, as peers have it: all variants of one URL, from the networks that the configuration names.

use super::{Question, is_within};
use crate::cache::purge::{Mode, What};
use crate::exchange::attempts::Trail;
use crate::exchange::serve::{Course, Scratch};
use crate::exchange::{Downstream, Refusal};
use crate::http::FieldName;
use crate::live::{Purge, Told};
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
        let Some((_, route)) = self.route.filter(|_| is_within(&question.config.purge, self.who)) else {
            return self.refuse(Refusal::Method, scratch, down, trail).await;
        };
        let url = question.raw()[question.url_at..].to_vec();
        let (generation, at) = (Arc::clone(&self.held.generation), question.id.0);
        // It is written down, which waits for the disk: not on this thread.
        let what = What::Url(url);
        let purge = Purge { cache: Some(question.config.name.clone()), what: vec![what.clone()], mode: Mode::Hard };
        let purging = move || generation.snapshot.caches[at].purge(&what, Mode::Hard);
        let purged = tokio::task::spawn_blocking(purging).await;
        let told = match &self.held.generation.snapshot.fleet {
            Some(fleet) => fleet.tell(purge).await,
            None => Told::Everywhere { members: 1 },
        };
        let (status, text) = match purged {
            Ok(Ok(done)) => {
                let (status, others) = match told {
                    Told::Everywhere { .. } => (200, ""),
                    Told::Queued(_) | Told::Unanswered => (202, "; others of the fleet do not know yet"),
                    Told::Refused => (503, "; the others of the fleet are not told: ask again"),
                };
                (status, format!("purged, variants in memory: {}{others}\n", done.objects.unwrap_or(0)))
            }
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
