use std::time::Duration;

use bytes::Bytes;

use super::content::Content;
use super::{At, Fault, Reply, Rest};

/// An answer with what goes wrong in it, in the order in which it happens: the decision alone.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) reading: Reading,
    /// Informational answers first: the code, and how many.
    pub(super) informational: (u16, usize),
    pub(super) answer: Answer,
    pub(super) stop: Option<(At, Stop)>,
    pub(super) drip: Option<(Dripping, Duration)>,
    pub(super) after: After,
}

/// How much of the request is read before the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    Whole,
    /// So many bytes of its body, and there is no answer.
    Part(usize),
    /// Its head alone.
    Head(Rest),
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Message {
        status: u16,
        headers: Vec<(String, String)>,
        body: Content,
    },
    Garbage(Bytes),
}

/// What happens at a place in the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    Pause(Duration),
    Cut(Cut),
}

/// How an answer ends before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    Reset,
    Close,
    Stall,
    ResetStream(u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dripping {
    Head,
    Body,
}

/// What becomes of the connection after the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    Keep,
    Close,
    /// Closed when the next request begins.
    CloseOnNext,
}

impl Plan {
    pub(super) fn new(fault: Option<&Fault>, reply: &Reply) -> Self {
        let reply = match fault {
            Some(Fault::Reply(other)) => other,
            _ => reply,
        };
        let mut plan = Self {
            reading: Reading::Whole,
            informational: (100, 0),
            answer: Answer::Garbage(Bytes::new()),
            stop: None,
            drip: None,
            after: After::Keep,
        };
        let mut body = reply.body.clone();
        let mut wrong = Length::Right;
        match fault {
            // ## These change the answer no more than by `reply`, or the connection alone
            None
            | Some(
                Fault::Reply(_)
                | Fault::GoAway { .. }
                | Fault::GracefulGoAway
                | Fault::StreamLimit(_),
            ) => {}
            // ## Where it stops
            Some(Fault::Reset(at)) => plan.stop = Some((*at, Stop::Cut(Cut::Reset))),
            Some(Fault::Close(at)) => plan.stop = Some((*at, Stop::Cut(Cut::Close))),
            Some(Fault::Stall(at)) => plan.stop = Some((*at, Stop::Cut(Cut::Stall))),
            Some(Fault::ResetStream { code, at }) => {
                plan.stop = Some((*at, Stop::Cut(Cut::ResetStream(*code))));
            }
            Some(Fault::Delay(at, pause)) => plan.stop = Some((*at, Stop::Pause(*pause))),
            // ## How it comes
            Some(Fault::DripHead(pause)) => plan.drip = Some((Dripping::Head, *pause)),
            Some(Fault::DripBody(pause)) => {
                plan.drip = Some((Dripping::Body, *pause));
                if body.is_empty() {
                    body.fill(3);
                }
            }
            // ## When it comes
            Some(Fault::StopReading { after }) => plan.reading = Reading::Part(*after),
            Some(Fault::EarlyAnswer(rest)) => plan.reading = Reading::Head(*rest),
            // ## What it says
            Some(Fault::Informational { status, times }) => plan.informational = (*status, *times),
            Some(Fault::LengthTooLong(by)) => {
                wrong = Length::TooLong(*by);
                plan.after = After::Close;
            }
            Some(Fault::LengthTooShort(by)) => {
                wrong = Length::TooShort(*by);
                body.fill(*by);
            }
            Some(Fault::TwoLengths) => wrong = Length::Two,
            Some(Fault::Garbage(bytes)) => {
                plan.answer = Answer::Garbage(bytes.clone());
                plan.after = After::Close;
                return plan;
            }
            // ## What follows it
            Some(Fault::CloseAfterAnswer) => plan.after = After::Close,
            Some(Fault::CloseOnNextRequest) => plan.after = After::CloseOnNext,
        }
        if let Some((At::Body(n), _)) = plan.stop {
            body.fill(n as u64 + 1);
        }
        plan.answer = Answer::Message {
            status: reply.status,
            headers: headers(reply, body.len(), wrong),
            body,
        };
        plan
    }

    /// The answer to a request that is answered without a body, such as a HEAD.
    pub(super) fn without_body(mut self) -> Self {
        if let Answer::Message { body, .. } = &mut self.answer {
            *body = Content::default();
        }
        self
    }

    /// How much of a head of `len` bytes comes before something happens.
    pub(super) fn stop_in_head(&self, len: usize) -> Option<usize> {
        match self.stop {
            Some((At::Head(n), _)) => Some(n.min(len - 1)),
            _ => None,
        }
    }
}

#[derive(Clone, Copy)]
enum Length {
    Right,
    TooLong(u64),
    TooShort(u64),
    Two,
}

fn headers(reply: &Reply, len: u64, wrong: Length) -> Vec<(String, String)> {
    let mut headers = reply.headers.clone();
    if !matches!(wrong, Length::Right) {
        headers.retain(|(name, _)| !name.eq_ignore_ascii_case("content-length"));
    }
    let lengths = match wrong {
        Length::Right if reply.may_have_length() => vec![len],
        Length::Right => vec![],
        Length::TooLong(by) => vec![len.saturating_add(by)],
        Length::TooShort(by) => vec![len - by],
        Length::Two => vec![len, len + 1],
    };
    let field = |n: u64| ("content-length".to_owned(), n.to_string());
    headers.extend(lengths.into_iter().map(field));
    headers
}
