//! The server's side of HTTP/2, as far as a server that looks at no fields needs it.

mod answer;
mod flow;
mod writer;

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use tokio::io::AsyncWriteExt;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

use super::connection::{Connection, break_off, hold, stall};
use super::plan::{After, Cut, Reading};
use super::{ConnectionFault, End, Fault, Rest};
use crate::H2Peer;
use crate::h2peer::setting::{INITIAL_WINDOW_SIZE, MAX_CONCURRENT_STREAMS};
use crate::h2peer::{Frame, code, flag, kind};
use crate::serving::Wire;
use answer::{Command, Stream, What};
use flow::Flow;
use writer::{Piece, Writer};

/// The highest number of a stream: a GOAWAY of it excludes none.
const NO_LIMIT: u32 = i32::MAX as u32;

/// Answers the streams of a connection, all at once.
pub(super) async fn serve<W: Wire>(connection: Connection, io: W) {
    let limit = match connection.fault() {
        Some(ConnectionFault::StreamLimit(n)) => Some(*n),
        _ => connection.script.max_concurrent_streams,
    };
    let mut settings = Vec::new();
    settings.extend(limit.map(|n| (MAX_CONCURRENT_STREAMS, n)));
    let mut withheld = false;
    if let Some(ConnectionFault::WithholdWindow { initial }) = connection.fault() {
        settings.push((INITIAL_WINDOW_SIZE, *initial));
        withheld = true;
    }
    let Ok(mut peer) = H2Peer::accept(io, &settings).await else {
        return;
    };
    if let Some(ConnectionFault::GoAway { code }) = connection.fault() {
        if peer.go_away(0, *code).await.is_ok() {
            stall(peer.into_inner()).await;
        }
        return;
    }
    let (tell, commands) = mpsc::channel(1);
    let serving = Serving {
        connection,
        peer,
        writer: Writer::default(),
        flow: Arc::new(Flow::new()),
        tell,
        streams: HashMap::new(),
        last: 0,
        accepts: NO_LIMIT,
        limit,
        withheld,
        answered: 0,
        closes_on_next: false,
        shutdown: Shutdown::No,
    };
    serving.run(commands).await;
}

struct Serving<W> {
    connection: Connection,
    peer: H2Peer<W>,
    writer: Writer,
    flow: Arc<Flow>,
    /// Given to each stream's task.
    tell: mpsc::Sender<Command>,
    streams: HashMap<u32, Open>,
    /// The last stream that was begun.
    last: u32,
    /// Streams above are passed over: a GOAWAY has said so.
    accepts: u32,
    limit: Option<u32>,
    /// WINDOW_UPDATE is never sent.
    withheld: bool,
    answered: usize,
    closes_on_next: bool,
    shutdown: Shutdown,
}

/// How far a shutdown has come.
#[derive(Debug, PartialEq, Eq)]
enum Shutdown {
    No,
    /// The first GOAWAY is sent, with a PING behind it.
    Announced,
    /// The last GOAWAY is sent: with the last stream the connection is closed.
    Draining,
}

/// A stream that is not done.
struct Open {
    reading: Reading,
    after: After,
    /// Bytes of the request's body that have come.
    received: usize,
    /// Told when the request has ended; none, once it has.
    request: Option<oneshot::Sender<()>>,
    answered: bool,
    /// The answer's last frame is written.
    ended: bool,
    /// The client has reset it within a frame of the server's, which must be ended first.
    reset: bool,
    task: Option<AbortHandle>,
}

/// With the stream its task ends, which would wait for windows or write to nobody.
impl Drop for Open {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// How the connection ends.
enum Finish {
    End(End),
    /// The server has ended, and hears the client to its end: closed at once, a socket would reset what
    /// the client has not read.
    Drained,
    Hold,
}

impl<W: Wire> Serving<W> {
    async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        loop {
            let silent = self.connection.silent_after();
            if silent.is_some_and(|n| self.answered >= n) {
                return self.finish(Finish::Hold).await;
            }
            if self.shutdown == Shutdown::Draining && self.streams.is_empty() {
                return self.finish(Finish::Drained).await;
            }
            let done = tokio::select! {
                frame = self.peer.frame() => match frame {
                    Ok(frame) => self.hear(frame).await,
                    // The client is gone.
                    Err(_) => return,
                },
                Some(command) = commands.recv() => self.obey(command).await,
            };
            match done {
                Ok(None) => {}
                Ok(Some(finish)) => return self.finish(finish).await,
                Err(_) => return,
            }
        }
    }

    async fn finish(self, finish: Finish) {
        // Dropped first, so that no stream's task outlives what it writes to.
        drop(self.streams);
        match finish {
            Finish::End(end) => break_off(self.peer.into_inner(), end).await,
            Finish::Drained => {
                let mut io = self.peer.into_inner();
                if io.shutdown().await.is_ok() {
                    stall(io).await;
                }
            }
            Finish::Hold => hold(self.peer.into_inner()).await,
        }
    }

    // ---- what the client says ----

    async fn hear(&mut self, frame: Frame) -> io::Result<Option<Finish>> {
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

    // ---- what the streams' tasks say ----

    async fn obey(&mut self, command: Command) -> io::Result<Option<Finish>> {
        let Command { stream: id, what } = command;
        let Some(open) = self.streams.get_mut(&id) else {
            // It was reset while the command was on its way.
            return Ok(None);
        };
        let reset = open.reset;
        match what {
            What::Write { bytes, whole, end } => {
                open.ended |= whole && end;
                let piece = Piece {
                    stream: id,
                    bytes,
                    whole,
                };
                self.write(piece).await?;
                if reset && whole {
                    self.forget(id);
                }
                Ok(None)
            }
            What::Answered(None) => self.answered(id).await,
            What::Answered(Some(Cut::Reset)) => Ok(Some(Finish::End(End::Reset))),
            What::Answered(Some(Cut::Close)) => Ok(Some(Finish::End(End::Close))),
            // The stream stays as it is, and counts as open.
            What::Answered(Some(Cut::Stall)) => Ok(None),
            What::Answered(Some(Cut::ResetStream(code))) => {
                self.reset(id, code).await?;
                Ok(None)
            }
        }
    }

    async fn answered(&mut self, id: u32) -> io::Result<Option<Finish>> {
        let Some(open) = self.streams.get_mut(&id) else {
            return Ok(None);
        };
        open.answered = true;
        self.answered += 1;
        let (after, ended) = (open.after, open.request.is_none());
        if ended {
            self.forget(id);
        } else if matches!(open.reading, Reading::Head(Rest::Close)) {
            self.reset(id, code::NO_ERROR).await?;
        }
        match after {
            After::Keep => {}
            After::Close => return Ok(Some(Finish::End(End::Close))),
            After::CloseOnNext => self.closes_on_next = true,
        }
        Ok(None)
    }

    fn forget(&mut self, id: u32) {
        self.streams.remove(&id);
        self.flow.forget(id);
    }

    // ---- what the server says ----

    async fn reset(&mut self, id: u32, code: u32) -> io::Result<()> {
        self.forget(id);
        self.say(writer::reset(id, code)).await
    }

    async fn go_away(&mut self, last: u32, code: u32) -> io::Result<()> {
        self.shutdown = Shutdown::Draining;
        self.accepts = last;
        self.say(writer::go_away(last, code)).await
    }

    async fn say(&mut self, frame: Vec<u8>) -> io::Result<()> {
        let piece = Piece {
            stream: 0,
            bytes: frame.into(),
            whole: true,
        };
        self.write(piece).await
    }

    async fn write(&mut self, piece: Piece) -> io::Result<()> {
        let now = self.writer.admit(piece);
        if now.is_empty() {
            return Ok(());
        }
        self.peer.raw(now).await
    }
}
