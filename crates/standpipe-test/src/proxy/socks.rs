use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Log, Running, dial, splice};
use crate::memory::{MemoryStream, Network};

/// A SOCKS 5 proxy (RFC 1928) on an address of a [`Network`], which tunnels to whoever listens there.
///
/// Dropped, it closes its connections.
#[derive(Debug)]
pub struct SocksProxy {
    targets: Log,
    _running: Running,
}

impl SocksProxy {
    /// Starts one on `address`, such as `proxy.test:1080`; it asks for `credentials`, a user and a
    /// password, where there are any (RFC 1929). It runs on the current runtime.
    ///
    /// # Panics
    ///
    /// Where the address is none, or listened on already.
    pub fn start(network: &Network, address: &str, credentials: Option<(&str, &str)>) -> Self {
        let targets = Log::default();
        let (log, net) = (targets.clone(), network.clone());
        let wanted = credentials.map(|(user, password)| format!("{user}:{password}"));
        let serve = move |stream| serve(stream, net.clone(), log.clone(), wanted.clone());
        Self {
            targets,
            _running: Running::start(network.listen(address), serve),
        }
    }

    /// The hosts and ports that were asked for, in order.
    pub fn targets(&self) -> Vec<String> {
        self.targets.entries()
    }
}

async fn serve(
    mut io: MemoryStream,
    network: Network,
    log: Log,
    wanted: Option<String>,
) -> io::Result<()> {
    const NO_AUTHENTICATION: u8 = 0;
    const PASSWORD: u8 = 2;
    let _version = io.read_u8().await?;
    let methods = text(&mut io).await?;
    let method = if wanted.is_some() {
        PASSWORD
    } else {
        NO_AUTHENTICATION
    };
    if !methods.as_bytes().contains(&method) {
        return io.write_all(&[5, 0xff]).await;
    }
    io.write_all(&[5, method]).await?;
    if let Some(wanted) = wanted {
        let _version = io.read_u8().await?;
        let user = text(&mut io).await?;
        let password = text(&mut io).await?;
        let refused = format!("{user}:{password}") != wanted;
        io.write_all(&[1, u8::from(refused)]).await?;
        if refused {
            return Ok(());
        }
    }
    let target = target(&mut io).await?;
    log.add(target.clone());
    let there = dial(&network, &target).await;
    const REFUSED: u8 = 5;
    let code = if there.is_ok() { 0 } else { REFUSED };
    io.write_all(&[5, code, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
    splice(io, there?).await
}

/// Bytes behind their length.
async fn text(io: &mut MemoryStream) -> io::Result<String> {
    let length = io.read_u8().await?;
    let mut bytes = vec![0; length.into()];
    io.read_exact(&mut bytes).await?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

async fn target(io: &mut MemoryStream) -> io::Result<String> {
    let mut head = [0; 4];
    io.read_exact(&mut head).await?;
    let host = match head[3] {
        1 => Ipv4Addr::from(io.read_u32().await?).to_string(),
        4 => format!("[{}]", Ipv6Addr::from(io.read_u128().await?)),
        _ => text(io).await?,
    };
    Ok(format!("{host}:{}", io.read_u16().await?))
}
