//! The script, and what it is given.

use std::time::Duration;

use redis::{Script, ScriptInvocation};
use standpipe_rate_limit::{Ask, Verdict};

/// The longest time that is sent, some thirty-five years in microseconds: sums of a few stay exact in
/// the doubles that Lua counts in.
const FAR: u64 = 1 << 50;

pub(crate) fn admission() -> Script {
    Script::new(include_str!("admit.lua"))
}

/// The keys of a limiter with so many quotas. What stands in braces is all that Redis Cluster hashes,
/// so the keys are on one node, as a script's have to be.
pub(crate) fn keys(name: &str, quotas: usize) -> impl Iterator<Item = String> + '_ {
    (0..quotas).map(move |quota| format!("standpipe:{{limit:{name}}}:{quota}"))
}

pub(crate) fn invocation<'a>(script: &'a Script, name: &str, ask: &Ask) -> ScriptInvocation<'a> {
    let mut call = script.prepare_invoke();
    for key in keys(name, ask.charges.len()) {
        call.key(key);
    }
    call.arg(micros(ask.longest.as_nanos()));
    for charge in &ask.charges {
        let emission = charge.quota.emission().as_nanos();
        let time_of = |units: u64| micros(emission.saturating_mul(units.into()));
        let correction = i64::try_from(time_of(charge.correction.unsigned_abs())).unwrap_or(0);
        call.arg(time_of(charge.units.into()))
            .arg(time_of(charge.quota.burst_size().get().into()))
            .arg(correction * charge.correction.signum());
    }
    call
}

pub(crate) fn verdict((admitted, wait): (u8, u64)) -> Verdict {
    let wait = Duration::from_micros(wait);
    match admitted {
        0 => Verdict::Refused {
            retry_after: Some(wait),
        },
        _ => Verdict::Admitted { after: wait },
    }
}

fn micros(nanos: u128) -> u64 {
    u64::try_from(nanos.div_ceil(1_000)).map_or(FAR, |micros| micros.min(FAR))
}
