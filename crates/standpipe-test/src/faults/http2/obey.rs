use std::io;

use super::answer::{Command, What};
use super::writer::Piece;
use super::{Finish, Serving};
use crate::faults::plan::{After, Cut, Reading};
use crate::faults::{End, Rest};
use crate::h2peer::code;
use crate::serving::Wire;

/// What the streams' tasks say.
impl<W: Wire> Serving<W> {
    pub(super) async fn obey(&mut self, command: Command) -> io::Result<Option<Finish>> {
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
}
