//! The whole of a stored response, in the form that the client accepts.

use super::deliver::Sending;
use super::encode::Shape;
use crate::cache::entry::Entry;
use crate::exchange::{Broken, Prepared, Reply};
use crate::http::coding::{adapt, vary};
use crate::http::{FieldName, Fields, Length, Method, ResponseHead, push_decimal};
use std::sync::Arc;

impl Sending<'_> {
    pub(super) async fn whole<R: Reply>(&mut self, response: &mut ResponseHead, reply: &mut R) -> Result<u64, Broken> {
        if self.serving.entry.whole().is_none() {
            // What has only parts does not come here; it would be a short response.
            return Err(Broken::Closed);
        }
        response.status = self.serving.entry.status;
        let is_head = self.request.method == Method::Head;
        let bare = is_head || matches!(response.status, 204 | 304);
        let is_edited = self.edits().is_some();
        if is_edited {
            self.fill(&mut response.fields);
            self.edit(response);
        }
        self.choose(if is_edited { Some(&mut response.fields) } else { None }, reply);
        if is_head && response.status != 204 {
            self.say_length(if is_edited { Some(&mut response.fields) } else { None });
        }
        let sent = self.sent();
        let content = sent.whole().unwrap_or_default();
        let length = if bare { Length::None } else { Length::Known(content.len() as u64) };
        if is_edited {
            reply.head(response, length).await?;
        } else {
            let head = Prepared { status: response.status, lines: sent.lines(), added: &self.added };
            reply.prepared(&head, length).await?;
        }
        if !bare && !content.is_empty() {
            self.content(content, false, reply).await?;
        }
        reply.end(None).await?;
        Ok(if bare { 0 } else { content.len() as u64 })
    }

    /// Takes the form that the client gets; `edited` are the fields, where they are not those that are stored.
    fn choose<R: Reply>(&mut self, edited: Option<&mut Fields>, reply: &mut R) {
        match (self.course.shape(self.question, self.serving.entry, edited.as_deref()), edited) {
            (Shape::Streams, _) => return,
            (Shape::Plain, _) => {}
            (Shape::Varies, Some(fields)) => vary(fields),
            (Shape::Varies, None) => self.added.extend_from_slice(b"vary: Accept-Encoding\r\n"),
            (Shape::Encoded(form, coding), fields) => {
                if let Some(fields) = fields {
                    adapt(fields, coding);
                }
                self.form = Some(form);
            }
        }
        reply.as_is();
    }

    /// What HEAD is told of the content (RFC 9110 §9.3.2).
    fn say_length(&mut self, edited: Option<&mut Fields>) {
        let mut digits = Vec::with_capacity(20);
        push_decimal(self.sent().whole().unwrap_or_default().len() as u64, &mut digits);
        match edited {
            Some(fields) => fields.set(FieldName::ContentLength, &digits),
            None => {
                self.added.extend_from_slice(b"content-length: ");
                self.added.extend_from_slice(&digits);
                self.added.extend_from_slice(b"\r\n");
            }
        }
    }

    /// What the client gets: what is stored, or a form of it.
    pub(super) fn sent(&self) -> &Arc<Entry> {
        self.form.as_ref().unwrap_or(self.serving.entry)
    }
}
