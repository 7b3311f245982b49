//! The server's side of HTTP/2, as far as a server that looks at no fields needs it.

mod answer;
mod flow;
mod hear;
mod obey;
mod writer;

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use tokio::io::AsyncWriteExt;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

use super::connection::{Connection, break_off, hold, stall};
use super::plan::{After, Reading};
use super::{ConnectionFault, End};
use crate::H2Peer;
use crate::h2peer::setting::{INITIAL_WINDOW_SIZE, MAX_CONCURRENT_STREAMS};
use crate::serving::Wire;
use answer::Command;
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

    // ---- what the server says ----

    fn forget(&mut self, id: u32) {
        self.streams.remove(&id);
        self.flow.forget(id);
    }

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
