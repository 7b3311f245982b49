use super::{HttpProxy, SocksProxy};
use crate::Peer;
use crate::memory::Network;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn a_tunnel_leads_to_whoever_listens() {
    let network = Network::new();
    let listener = network.listen("a.test:443");
    let proxy = HttpProxy::start(&network, "proxy.test:3128");
    let mut client = Peer::new(network.dial("proxy.test:3128").await.unwrap());
    client
        .write("CONNECT a.test:443 HTTP/1.1\r\n\r\n")
        .await
        .unwrap();
    assert!(client.read_head().await.unwrap().contains(" 200 "));
    let mut target = Peer::new(listener.accept().await);
    target.write("hello").await.unwrap();
    assert_eq!(client.read_exact_body(5).await.unwrap(), "hello");
    assert_eq!(proxy.heads(), ["CONNECT a.test:443 HTTP/1.1\r\n\r\n"]);
}

#[tokio::test]
async fn what_is_not_there_is_a_bad_gateway() {
    let network = Network::new();
    let _proxy = HttpProxy::start(&network, "proxy.test:3128");
    let mut client = Peer::new(network.dial("proxy.test:3128").await.unwrap());
    client
        .write("CONNECT a.test:443 HTTP/1.1\r\n\r\n")
        .await
        .unwrap();
    assert!(client.read_head().await.unwrap().contains(" 502 "));
}

#[tokio::test]
async fn socks_leads_to_a_name() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let proxy = SocksProxy::start(&network, "proxy.test:1080", None);
    let mut client = network.dial("proxy.test:1080").await.unwrap();
    client.write_all(&[5, 1, 0]).await.unwrap();
    client
        .write_all(b"\x05\x01\x00\x03\x06a.test\x00\x50")
        .await
        .unwrap();
    let mut answer = [0; 12];
    client.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer[..4], [5, 0, 5, 0]);
    listener.accept().await.write_all(b"x").await.unwrap();
    assert_eq!(client.read_u8().await.unwrap(), b'x');
    assert_eq!(proxy.targets(), ["a.test:80"]);
}
