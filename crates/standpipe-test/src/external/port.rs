use std::io;
use std::net::{Ipv4Addr, TcpListener};

/// Ports of 127.0.0.1 that nobody listens on, all different.
///
/// They are released before the server takes them, so another process may come first: whoever
/// starts a server tries again with others (see [`retry_taken`]).
pub(super) fn free<const N: usize>() -> io::Result<[u16; N]> {
    let mut ports = [0; N];
    // Held until all are picked, so that none is picked twice.
    let mut held = Vec::with_capacity(N);
    for port in &mut ports {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        *port = listener.local_addr()?.port();
        held.push(listener);
    }
    Ok(ports)
}

/// Runs `start` again with other ports while it finds them taken, five times at most.
pub(super) async fn retry_taken<T, F>(mut start: impl FnMut() -> F) -> io::Result<T>
where
    F: Future<Output = io::Result<T>>,
{
    for _ in 0..4 {
        match start().await {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            done => return done,
        }
    }
    start().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_picked_together_differ_and_none_is_one_that_is_held() {
        let held = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut ports = free::<64>().unwrap().to_vec();
        ports.push(held.local_addr().unwrap().port());
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 65);
    }

    #[tokio::test]
    async fn a_taken_port_is_tried_again_and_another_error_is_not() {
        let mut left = vec![io::ErrorKind::NotFound, io::ErrorKind::AddrInUse];
        let error = retry_taken::<(), _>(|| {
            let kind = left.pop().expect("no try after the error that counts");
            async move { Err(kind.into()) }
        })
        .await
        .unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
