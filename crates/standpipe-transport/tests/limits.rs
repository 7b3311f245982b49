//! The limits on connections, on waiting and on idling.

#[path = "limits/acquire.rs"]
mod acquire;
#[path = "limits/ahead.rs"]
mod ahead;
#[path = "limits/changed.rs"]
mod changed;
#[path = "limits/descriptors.rs"]
mod descriptors;
#[path = "limits/dials.rs"]
mod dials;
#[path = "limits/hint.rs"]
mod hint;
#[path = "limits/idle.rs"]
mod idle;
#[path = "limits/lifetime.rs"]
mod lifetime;
#[cfg(unix)]
#[path = "limits/nofile.rs"]
mod nofile;
#[path = "limits/per_host.rs"]
mod per_host;
#[path = "limits/rounds.rs"]
mod rounds;
#[path = "limits/run_time.rs"]
mod run_time;
#[path = "limits/runtimes.rs"]
mod runtimes;
mod support;
#[path = "limits/total.rs"]
mod total;
