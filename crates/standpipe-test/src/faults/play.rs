use std::io;
use std::time::Duration;

use bytes::Bytes;

use super::At;
use super::content::Content;
use super::plan::{Answer, Cut, Dripping, Plan, Stop};

/// The most that is written of a body at once; a frame of HTTP/2 holds no more unless it was agreed.
const PIECE: usize = 16 * 1024;

/// Says an answer in a protocol's words.
pub(super) trait Voice {
    /// A head as it stands on the wire. `end`: there is no body.
    fn head(&mut self, status: u16, headers: &[(String, String)], end: bool) -> Bytes;

    /// Writes bytes as they are. `whole`: what was begun is whole with them.
    fn raw(&mut self, bytes: Bytes, whole: bool) -> impl Future<Output = io::Result<()>> + Send;

    /// Waits, and fails where the client is gone before.
    fn pause(&mut self, pause: Duration) -> impl Future<Output = io::Result<()>> + Send;

    /// Writes a piece of the body. `end`: it is the last.
    fn body(&mut self, piece: Bytes, end: bool) -> impl Future<Output = io::Result<()>> + Send;
}

/// Says the answer, to its end or to where it is cut.
pub(super) async fn play(plan: Plan, voice: &mut impl Voice) -> io::Result<Option<Cut>> {
    informational(&plan, voice).await?;
    if let Some((At::BeforeHead | At::Head(0), stop)) = plan.stop
        && let Some(cut) = pass(stop, voice).await?
    {
        return Ok(Some(cut));
    }
    let head = match &plan.answer {
        Answer::Message {
            status,
            headers,
            body,
        } => voice.head(*status, headers, body.is_empty()),
        Answer::Garbage(bytes) => bytes.clone(),
    };
    if let Some(cut) = play_head(&plan, head, voice).await? {
        return Ok(Some(cut));
    }
    match plan.answer {
        Answer::Message { body, .. } => play_body(plan.stop, plan.drip, body, voice).await,
        Answer::Garbage(_) => Ok(None),
    }
}

async fn informational(plan: &Plan, voice: &mut impl Voice) -> io::Result<()> {
    let (status, times) = plan.informational;
    let head = voice.head(status, &[], false);
    // A flood is poured by the bucket, not by the drop.
    let bucket = (PIECE / head.len()).max(1);
    let mut left = times;
    while left > 0 {
        let n = left.min(bucket);
        voice.raw(head.repeat(n).into(), true).await?;
        left -= n;
    }
    Ok(())
}

async fn play_head(
    plan: &Plan,
    mut head: Bytes,
    voice: &mut impl Voice,
) -> io::Result<Option<Cut>> {
    if let Some(n) = plan.stop_in_head(head.len()).filter(|n| *n > 0) {
        voice.raw(head.split_to(n), false).await?;
        if let Some((_, stop)) = plan.stop
            && let Some(cut) = pass(stop, voice).await?
        {
            return Ok(Some(cut));
        }
    }
    if let Some((Dripping::Head, pause)) = plan.drip {
        while head.len() > 1 {
            voice.pause(pause).await?;
            voice.raw(head.split_to(1), false).await?;
        }
        voice.pause(pause).await?;
    }
    voice.raw(head, true).await?;
    Ok(None)
}

async fn play_body(
    stop: Option<(At, Stop)>,
    drip: Option<(Dripping, Duration)>,
    mut body: Content,
    voice: &mut impl Voice,
) -> io::Result<Option<Cut>> {
    let pause = match drip {
        Some((Dripping::Body, pause)) => Some(pause),
        _ => None,
    };
    let piece = if pause.is_some() { 1 } else { PIECE };
    if let Some((At::Body(n), stop)) = stop {
        let mut left = n;
        // It is empty before its time where the request was a HEAD.
        while left > 0 && !body.is_empty() {
            let piece = body.take(left.min(PIECE));
            left -= piece.len();
            voice.body(piece, false).await?;
        }
        if let Some(cut) = pass(stop, voice).await? {
            return Ok(Some(cut));
        }
    }
    while !body.is_empty() {
        if let Some(pause) = pause {
            voice.pause(pause).await?;
        }
        let bytes = body.take(piece);
        voice.body(bytes, body.is_empty()).await?;
    }
    Ok(None)
}

/// Waits, or says that the answer is cut here.
async fn pass(stop: Stop, voice: &mut impl Voice) -> io::Result<Option<Cut>> {
    match stop {
        Stop::Pause(pause) => voice.pause(pause).await.map(|()| None),
        Stop::Cut(cut) => Ok(Some(cut)),
    }
}
