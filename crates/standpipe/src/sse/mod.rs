//! Server-sent events: `text/event-stream`, as the HTML standard says it is read (9.2.6).
//!
//! [`Decoder`] is the machine: bytes in, events out, with neither clock nor IO. [`Events`] is a
//! response read by it.

mod decoder;
mod event;
mod events;
#[cfg(test)]
mod tests;

pub use decoder::Decoder;
pub use event::{ErrorEvent, Event};
pub use events::Events;
