//! The limits on connections, on waiting and on idling.

#[path = "limits/acquire.rs"]
mod acquire;
#[path = "limits/hint.rs"]
mod hint;
#[path = "limits/idle.rs"]
mod idle;
#[path = "limits/lifetime.rs"]
mod lifetime;
#[path = "limits/per_host.rs"]
mod per_host;
#[path = "limits/rounds.rs"]
mod rounds;
#[path = "limits/run_time.rs"]
mod run_time;
mod support;
#[path = "limits/total.rs"]
mod total;
