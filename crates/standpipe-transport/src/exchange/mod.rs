//! One request on its way: from the queue to the end of the response body.

mod accepted;
mod acquiring;
mod body_clock;
mod check;
mod expect;
mod fault;
mod future;
mod hold;
mod keep_alive;
mod lease;
mod receive;
mod request;
mod send_body;

pub(crate) use future::Outgoing;
pub use future::ResponseFuture;
pub(crate) use send_body::SendBody;
