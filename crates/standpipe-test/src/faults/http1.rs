use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use tokio::time::sleep;

use super::connection::{Connection, break_off, hold};
use super::plan::{After, Cut, Reading};
use super::play::{Voice, play};
use super::{End, Fault, Rest};
use crate::Peer;
use crate::serving::Wire;

/// The most of a body that is read at once.
const PIECE: u64 = 16 * 1024;

/// Answers the requests of a connection, one after the other.
pub(super) async fn serve<W: Wire>(connection: &Connection, io: W) {
    let mut peer = Peer::new(io);
    let mut answered = 0;
    loop {
        if connection.silent_after().is_some_and(|n| answered >= n) {
            return hold(peer.into_inner()).await;
        }
        let Ok(head) = peer.read_head().await else {
            return;
        };
        // Errors are those of a client that is gone.
        match answer(connection, &Request::parse(&head), &mut peer).await {
            Ok(Next::Request) => answered += 1,
            Ok(Next::CloseOnRequest) => {
                if peer.begun().await.is_ok() {
                    break_off(peer.into_inner(), End::Close).await;
                }
                return;
            }
            Ok(Next::End(end)) => return break_off(peer.into_inner(), end).await,
            Ok(Next::Hold) => return hold(peer.into_inner()).await,
            Err(_) => return,
        }
    }
}

/// What comes after an answer.
enum Next {
    Request,
    CloseOnRequest,
    End(End),
    Hold,
}

async fn answer<W: Wire>(
    connection: &Connection,
    request: &Request,
    peer: &mut Peer<W>,
) -> io::Result<Next> {
    let fault = connection.next_request();
    assert!(
        !fault.is_some_and(Fault::is_of_http2),
        "a fault of HTTP/2 is scripted for a request by HTTP/1.1: {fault:?}"
    );
    let mut plan = connection.script.plan(fault);
    if request.is_head {
        plan = plan.without_body();
    }
    if request.expects && !matches!(plan.reading, Reading::Head(_)) {
        peer.write("HTTP/1.1 100 Continue\r\n\r\n").await?;
    }
    match plan.reading {
        Reading::Whole => skip_body(peer, request.body).await?,
        Reading::Part(n) => {
            read_part(peer, n).await?;
            return Ok(Next::Hold);
        }
        Reading::Head(_) => {}
    }
    let (reading, after) = (plan.reading, plan.after);
    if let Some(cut) = play(plan, &mut Text(peer)).await? {
        return Ok(Next::End(end_of(cut)));
    }
    match reading {
        Reading::Head(Rest::Read) => skip_body(peer, request.body).await?,
        Reading::Head(Rest::Leave) => return Ok(Next::Hold),
        Reading::Head(Rest::Close) => return Ok(Next::End(End::Close)),
        Reading::Whole | Reading::Part(_) => {}
    }
    Ok(match after {
        After::Keep => Next::Request,
        After::Close => Next::End(End::Close),
        After::CloseOnNext => Next::CloseOnRequest,
    })
}

fn end_of(cut: Cut) -> End {
    match cut {
        Cut::Reset => End::Reset,
        Cut::Close => End::Close,
        Cut::Stall => End::Stall,
        Cut::ResetStream(_) => unreachable!("a fault of HTTP/2 alone"),
    }
}

// ---- what a request is ----

struct Request {
    is_head: bool,
    /// It waits for a 100 before it sends its body.
    expects: bool,
    body: Framing,
}

#[derive(Clone, Copy)]
enum Framing {
    Length(u64),
    Chunked,
}

impl Request {
    /// As much as the server must know; what is not a request has no body.
    fn parse(head: &str) -> Self {
        let mut request = Self {
            is_head: head.starts_with("HEAD "),
            expects: false,
            body: Framing::Length(0),
        };
        for field in head.lines().skip(1) {
            let Some((name, value)) = field.split_once(':') else {
                continue;
            };
            let value = value.trim();
            match name.to_ascii_lowercase().as_str() {
                "content-length" => {
                    request.body = Framing::Length(value.parse().unwrap_or_default());
                }
                "transfer-encoding" => request.body = Framing::Chunked,
                "expect" => request.expects = value.eq_ignore_ascii_case("100-continue"),
                _ => {}
            }
        }
        request
    }
}

async fn skip_body<W: Wire>(peer: &mut Peer<W>, body: Framing) -> io::Result<()> {
    match body {
        Framing::Length(n) => skip(peer, n).await,
        Framing::Chunked => skip_chunks(peer).await,
    }
}

async fn skip<W: Wire>(peer: &mut Peer<W>, mut n: u64) -> io::Result<()> {
    while n > 0 {
        let piece = n.min(PIECE);
        peer.read_exact_body(piece as usize).await?;
        n -= piece;
    }
    Ok(())
}

async fn skip_chunks<W: Wire>(peer: &mut Peer<W>) -> io::Result<()> {
    loop {
        let line = peer.read_through(b"\r\n").await?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = u64::from_str_radix(size, 16)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        if size == 0 {
            break;
        }
        skip(peer, size.saturating_add(2)).await?;
    }
    // The trailers, up to an empty line.
    while peer.read_through(b"\r\n").await? != "\r\n" {}
    Ok(())
}

/// Reads so many bytes of what follows the head; chunks are counted with their sizes.
async fn read_part<W: Wire>(peer: &mut Peer<W>, n: usize) -> io::Result<()> {
    skip(peer, n as u64).await
}

// ---- how an answer is said ----

struct Text<'a, W>(&'a mut Peer<W>);

impl<W: Wire> Voice for Text<'_, W> {
    fn head(&mut self, status: u16, headers: &[(String, String)], _: bool) -> Bytes {
        let known = StatusCode::from_u16(status).ok();
        let reason = known.and_then(|known| known.canonical_reason());
        let mut head = format!("HTTP/1.1 {status} {}\r\n", reason.unwrap_or("Unknown"));
        for (name, value) in headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        head.push_str("\r\n");
        head.into()
    }

    async fn raw(&mut self, bytes: Bytes, _: bool) -> io::Result<()> {
        self.0.write(bytes).await
    }

    async fn pause(&mut self, pause: Duration) -> io::Result<()> {
        tokio::select! {
            () = sleep(pause) => Ok(()),
            () = self.0.closed() => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    async fn body(&mut self, piece: Bytes, _: bool) -> io::Result<()> {
        self.0.write(piece).await
    }
}
