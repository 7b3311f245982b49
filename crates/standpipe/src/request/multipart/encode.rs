//! A form as bytes: the head of each part, its content, and the lines between.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderValue;
use http_body::{Body as HttpBody, Frame, SizeHint};
use standpipe_core::{Body, Error};

use super::super::invalid;
use super::boundary::Boundary;
use super::part::{Content, Part};

/// A part with the head that is sent before it.
pub(super) struct Section {
    head: Bytes,
    content: Content,
}

impl Section {
    pub(super) fn new(boundary: &Boundary, name: &str, part: Part) -> Result<Self, Error> {
        let mut head = format!(
            "--{}\r\nContent-Disposition: form-data; name=\"{}\"",
            boundary.as_str(),
            escaped(name)
        );
        if let Some(file_name) = &part.file_name {
            head.push_str(&format!("; filename=\"{}\"", escaped(file_name)));
        }
        if let Some(content_type) = &part.content_type {
            if HeaderValue::from_str(content_type).is_err() {
                return Err(invalid("the content type of a part is no header value"));
            }
            head.push_str(&format!("\r\nContent-Type: {content_type}"));
        }
        head.push_str("\r\n\r\n");
        Ok(Self {
            head: head.into(),
            content: part.content,
        })
    }
}

/// As the HTML standard has it: what would end the name or its line, and nothing else.
fn escaped(name: &str) -> String {
    name.replace('"', "%22")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// All sections of a form.
pub(super) struct Encoded {
    sections: Vec<Section>,
    end: Bytes,
}

impl Encoded {
    pub(super) fn new(boundary: &Boundary, sections: Vec<Section>) -> Self {
        Self {
            sections,
            end: format!("--{}--\r\n", boundary.as_str()).into(),
        }
    }

    /// A factory where each part can be made again, else a stream.
    pub(super) fn into_body(self) -> Body {
        let again = |section: &Section| !matches!(section.content, Content::Once(_));
        if self.sections.iter().all(again) {
            let sections: Arc<[_]> = self
                .sections
                .into_iter()
                .filter_map(Repeatable::of)
                .collect();
            let end = self.end;
            return Body::from_fn(move || {
                let sections = sections.iter().map(Repeatable::pieces);
                Pieces::new(sections, &end)
            });
        }
        let sections = self.sections.into_iter().map(|section| {
            let content = match section.content {
                Content::Bytes(bytes) => bytes.into(),
                Content::Factory(make) => make(),
                Content::Once(body) => body,
            };
            (section.head, content)
        });
        Body::new(Pieces::new(sections, &self.end))
    }
}

/// A section whose content can be made again, and so may be shared by the sendings.
struct Repeatable {
    head: Bytes,
    make: Make,
}

enum Make {
    Bytes(Bytes),
    Factory(Arc<dyn Fn() -> Body + Send + Sync>),
}

impl Repeatable {
    fn of(section: Section) -> Option<Self> {
        let make = match section.content {
            Content::Bytes(bytes) => Make::Bytes(bytes),
            Content::Factory(make) => Make::Factory(make),
            Content::Once(_) => return None,
        };
        Some(Self {
            head: section.head,
            make,
        })
    }

    fn pieces(&self) -> (Bytes, Body) {
        let content = match &self.make {
            Make::Bytes(bytes) => bytes.clone().into(),
            Make::Factory(make) => make(),
        };
        (self.head.clone(), content)
    }
}

/// One sending of a form.
struct Pieces {
    pieces: VecDeque<Body>,
}

impl Pieces {
    fn new(sections: impl Iterator<Item = (Bytes, Body)>, end: &Bytes) -> Self {
        let mut pieces = VecDeque::new();
        for (head, content) in sections {
            pieces.push_back(head.into());
            pieces.push_back(content);
            pieces.push_back("\r\n".into());
        }
        pieces.push_back(end.clone().into());
        Self { pieces }
    }
}

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let pieces = &mut self.get_mut().pieces;
        while let Some(piece) = pieces.front_mut() {
            match ready!(Pin::new(piece).poll_frame(cx)) {
                Some(Ok(frame)) if frame.is_data() => return Poll::Ready(Some(Ok(frame))),
                // A part has no trailers.
                Some(Ok(_)) => {}
                Some(Err(error)) => {
                    pieces.clear();
                    return Poll::Ready(Some(Err(error)));
                }
                None => drop(pieces.pop_front()),
            }
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.iter().all(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let mut sum = SizeHint::with_exact(0);
        for hint in self.pieces.iter().map(HttpBody::size_hint) {
            let upper = sum.upper().zip(hint.upper());
            let mut longer = SizeHint::new();
            longer.set_lower(sum.lower().saturating_add(hint.lower()));
            if let Some(upper) = upper.and_then(|(sum, upper)| sum.checked_add(upper)) {
                longer.set_upper(upper);
            }
            sum = longer;
        }
        sum
    }
}
