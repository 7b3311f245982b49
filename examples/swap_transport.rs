//! A test of code that uses a `Pool`, without sockets: the bottom of the stack is exchanged for a
//! network in memory, and the server is played line by line.
//!
//! `cargo run --example swap_transport`

use standpipe::{BoxError, Error, ErrorKind, Pool};
use standpipe_test::Peer;
use standpipe_test::memory::Network;

/// The code under test. It takes the pool that it is given.
async fn water_level(pool: &Pool) -> Result<u32, Error> {
    let url = "http://tower.example/level";
    pool.get(url).send().await?.json().await
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    reads_the_level().await?;
    tells_of_an_answer_that_breaks_off().await
}

async fn reads_the_level() -> Result<(), BoxError> {
    let network = Network::new();
    let listener = network.listen("tower.example:80");
    let pool = Pool::builder().connector(network.connector()).build()?;

    let server = async {
        let mut peer = Peer::new(listener.accept().await);
        let head = peer.read_head().await?;
        assert!(head.starts_with("GET /level HTTP/1.1\r\n"));
        peer.respond("200 OK", "42").await
    };
    let (level, served) = tokio::join!(water_level(&pool), server);
    served?;
    assert_eq!(level?, 42);

    println!("the level was read over {} dial", network.dials());
    Ok(())
}

async fn tells_of_an_answer_that_breaks_off() -> Result<(), BoxError> {
    let network = Network::new();
    let listener = network.listen("tower.example:80");
    let pool = Pool::builder().connector(network.connector()).build()?;

    let server = async {
        let mut peer = Peer::new(listener.accept().await);
        peer.read_head().await?;
        peer.write("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n4")
            .await?;
        peer.close().await
    };
    let (level, served) = tokio::join!(water_level(&pool), server);
    served?;
    let error = level.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionClosed);

    println!("the broken answer was told: {error}");
    Ok(())
}
