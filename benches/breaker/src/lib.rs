//! What a call through a circuit breaker costs, over a service that is ready at once.
//!
//! `benches/breaker/run` builds this, runs it and prints the table. To add a breaker, add a function
//! to `breakers.rs` and its name to the `match` there, and the name to `run`.

mod breakers;
mod calls;

pub use breakers::run;
pub use calls::BoxError;

/// Runs what the command line says, `BREAKER STATE CALLS`, on one thread. Returns how much
/// `measure` grew during the calls; making and opening the breaker is not counted.
pub fn command(measure: impl Fn() -> u64) -> Result<u64, BoxError> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [breaker, state, calls] = &args[..] else {
        return Err("usage: BREAKER closed|open CALLS".into());
    };
    let open = match &**state {
        "closed" => false,
        "open" => true,
        other => return Err(format!("no state {other}").into()),
    };
    let calls = calls.parse()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;
    runtime.block_on(run(breaker, open, calls, measure))
}
