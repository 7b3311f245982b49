use std::str::FromStr;
use std::time::Duration;

use tokio::runtime::Builder;

use crate::{BoxError, Load, Protocol};

const USAGE: &str = "CLIENT h1|h2 PORT AT-ONCE HEADERS REQUESTS THREADS";

/// Runs the load that the command line describes. Returns how long it took, and by how much `meter`
/// rose meanwhile.
///
/// # Errors
///
/// Wrong arguments, or the first error of the client.
pub fn command(meter: impl Fn() -> usize) -> Result<(Duration, usize), BoxError> {
    let mut args = std::env::args().skip(1);
    let mut next = || args.next().ok_or(USAGE);
    let client = next()?;
    let protocol = match next()?.as_str() {
        "h1" => Protocol::Http1,
        "h2" => Protocol::Http2,
        _ => return Err(USAGE.into()),
    };
    let load = Load {
        protocol,
        server: ([127, 0, 0, 1], number(&next()?)?).into(),
        at_once: number(&next()?)?,
        headers: number(&next()?)?,
        requests: number(&next()?)?,
    };
    let mut runtime = match number(&next()?)? {
        1 => Builder::new_current_thread(),
        threads => {
            let mut builder = Builder::new_multi_thread();
            builder.worker_threads(threads);
            builder
        }
    };
    let runtime = runtime.enable_all().build()?;
    let before = meter();
    let elapsed = runtime.block_on(crate::run(&client, &load))?;
    Ok((elapsed, meter() - before))
}

fn number<T: FromStr>(text: &str) -> Result<T, BoxError> {
    text.parse()
        .map_err(|_| format!("{text} is no number; usage: {USAGE}").into())
}
