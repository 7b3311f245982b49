use std::io;

use tokio::sync::oneshot;

use super::answer::Stream;
use super::writer;
use super::{Finish, NO_LIMIT, Open, Serving, Shutdown};
use crate::faults::plan::Reading;
use crate::faults::{End, Fault, Rest};
use crate::h2peer::setting::{INITIAL_WINDOW_SIZE, MAX_CONCURRENT_STREAMS};
use crate::h2peer::{Frame, code, flag, kind};
use crate::serving::Wire;

/// What the client says.
impl<W: Wire> Serving<W> {
    pub(super) async fn hear(&mut self, frame: Frame) -> io::Result<Option<Finish>> {
        if let Some(acknowledgement) = frame.acknowledgement() {
            self.say(acknowledgement).await?;
        }
        match frame.kind {
            kind::HEADERS if frame.stream > self.last => return self.begin(&frame).await,
            // Trailers.
            kind::HEADERS => self.end_if(&frame),
            kind::DATA => self.hear_data(&frame).await?,
            kind::RST_STREAM => self.hear_reset(frame.stream),
            kind::WINDOW_UPDATE => self.flow.raise(frame.stream, frame.number()),
            kind::SETTINGS => {
                for (id, value) in frame.settings() {
                    if id == INITIAL_WINDOW_SIZE {
                        self.flow.set_initial(value);
                    }
                }
            }
            kind::PING if frame.has(flag::ACK) && self.shutdown == Shutdown::Announced => {
                self.go_away(self.last, code::NO_ERROR).await?;
            }
            _ => {}
        }
        Ok(None)
    }

    /// A new stream.
    async fn begin(&mut self, head: &Frame) -> io::Result<Option<Finish>> {
        if self.closes_on_next {
            return Ok(Some(Finish::End(End::Close)));
        }
        let (id, before) = (head.stream, self.last);
        if id > self.accepts {
            return Ok(None);
        }
        self.last = id;
        // The client counts a stream until both sides have ended it.
        let is_open = |open: &&Open| !(open.ended && open.request.is_none());
        let open = self.streams.values().filter(is_open).count();
        if self.limit.is_some_and(|n| open >= n as usize) {
            self.reset(id, code::REFUSED_STREAM).await?;
            return Ok(None);
        }
        let fault = self.connection.next_request().cloned();
        match fault {
            Some(Fault::GoAway { code, answered }) => {
                self.go_away(if answered { id } else { before }, code)
                    .await?;
                if !answered {
                    return Ok(None);
                }
            }
            Some(Fault::GracefulGoAway) if self.shutdown == Shutdown::No => {
                self.shutdown = Shutdown::Announced;
                let frames = [
                    writer::go_away(NO_LIMIT, code::NO_ERROR),
                    writer::ping(*b"shutdown"),
                ];
                self.say(frames.concat()).await?;
            }
            Some(Fault::StreamLimit(n)) => {
                self.limit = Some(n);
                self.say(writer::settings(&[(MAX_CONCURRENT_STREAMS, n)]))
                    .await?;
            }
            _ => {}
        }
        self.start(head, fault.as_ref());
        Ok(None)
    }

    fn start(&mut self, head: &Frame, fault: Option<&Fault>) {
        let id = head.stream;
        let plan = self.connection.script.plan(fault);
        let (ended, request) = oneshot::channel();
        let mut open = Open {
            reading: plan.reading,
            after: plan.after,
            received: 0,
            request: Some(ended),
            answered: false,
            ended: false,
            reset: false,
            task: None,
        };
        let stream = Stream {
            id,
            commands: self.tell.clone(),
            flow: self.flow.clone(),
            request,
            ends: false,
        };
        open.task = self.connection.spawner.spawn(stream.answer(plan));
        self.streams.insert(id, open);
        self.end_if(head);
    }

    async fn hear_data(&mut self, data: &Frame) -> io::Result<()> {
        let n = data.payload.len();
        let mut read_on = true;
        if let Some(open) = self.streams.get_mut(&data.stream) {
            open.received += n;
            read_on = match open.reading {
                Reading::Whole | Reading::Head(Rest::Read | Rest::Close) => true,
                Reading::Part(part) => open.received < part,
                Reading::Head(Rest::Leave) => false,
            };
        }
        if n > 0 && !self.withheld {
            // The connection's window is for all streams, of which others go on.
            self.say(writer::window(0, n)).await?;
            if read_on && !data.has(flag::END_STREAM) {
                self.say(writer::window(data.stream, n)).await?;
            }
        }
        self.end_if(data);
        Ok(())
    }

    fn hear_reset(&mut self, id: u32) {
        match self.streams.get_mut(&id) {
            Some(open) if self.writer.is_within(id) => open.reset = true,
            _ => self.forget(id),
        }
    }

    /// The request may end with this frame.
    fn end_if(&mut self, frame: &Frame) {
        if !frame.has(flag::END_STREAM) {
            return;
        }
        if let Some(open) = self.streams.get_mut(&frame.stream) {
            if let Some(ended) = open.request.take() {
                // Nobody listens where the answer was early.
                let _ = ended.send(());
            }
            if open.answered {
                self.forget(frame.stream);
            }
        }
    }
}
