use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;

use super::flow::Flow;
use crate::faults::plan::{Cut, Plan, Reading};
use crate::faults::play::{Voice, play};
use crate::h2peer::{encode, fields_of, flag, kind};

/// A frame's payload, unless more was agreed.
const MAX_FRAME: usize = 16 * 1024;

/// What a stream's task asks of its connection.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) stream: u32,
    pub(super) what: What,
}

#[derive(Debug)]
pub(super) enum What {
    /// Write bytes.
    Write {
        bytes: Bytes,
        /// A frame ends with them; until then nobody else may write.
        whole: bool,
        /// The stream ends with that frame.
        end: bool,
    },
    /// The answer was said, to its end or to a cut.
    Answered(Option<Cut>),
}

/// Says an answer on one stream.
pub(super) struct Stream {
    pub(super) id: u32,
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) flow: Arc<Flow>,
    /// Told when the request's body has ended.
    pub(super) request: oneshot::Receiver<()>,
    /// The frame that is being written is the stream's last.
    pub(super) ends: bool,
}

impl Stream {
    pub(super) async fn answer(mut self, plan: Plan) {
        match plan.reading {
            // Nobody tells where the stream is gone.
            Reading::Whole if (&mut self.request).await.is_err() => return,
            Reading::Part(_) => return,
            Reading::Whole | Reading::Head(_) => {}
        }
        if let Ok(cut) = play(plan, &mut self).await {
            // It fails only with the connection.
            let _ = self.tell(What::Answered(cut)).await;
        }
    }

    async fn tell(&self, what: What) -> io::Result<()> {
        let stream = self.id;
        let told = self.commands.send(Command { stream, what }).await;
        told.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Voice for Stream {
    fn head(&mut self, status: u16, headers: &[(String, String)], end: bool) -> Bytes {
        let status = status.to_string();
        let mut fields = vec![(":status", status.as_str())];
        fields.extend(headers.iter().map(|(name, value)| (&**name, &**value)));
        let block = fields_of(&fields);
        self.ends = end;
        let end = if end { flag::END_STREAM } else { 0 };
        let last = block.len().saturating_sub(1) / MAX_FRAME;
        let mut head = Vec::new();
        for (at, part) in block.chunks(MAX_FRAME).enumerate() {
            let (kind, end) = match at {
                0 => (kind::HEADERS, end),
                _ => (kind::CONTINUATION, 0),
            };
            let end_headers = if at == last { flag::END_HEADERS } else { 0 };
            head.extend(encode(kind, end | end_headers, self.id, part));
        }
        head.into()
    }

    async fn raw(&mut self, bytes: Bytes, whole: bool) -> io::Result<()> {
        let end = self.ends;
        self.tell(What::Write { bytes, whole, end }).await
    }

    /// With the connection this task ends.
    async fn pause(&mut self, pause: Duration) -> io::Result<()> {
        sleep(pause).await;
        Ok(())
    }

    async fn body(&mut self, mut piece: Bytes, end: bool) -> io::Result<()> {
        while !piece.is_empty() {
            let n = self.flow.take(self.id, piece.len().min(MAX_FRAME)).await;
            let part = piece.split_to(n);
            self.ends = end && piece.is_empty();
            let flags = if self.ends { flag::END_STREAM } else { 0 };
            let frame = encode(kind::DATA, flags, self.id, &part);
            self.raw(frame.into(), true).await?;
        }
        Ok(())
    }
}
