//! The server of the comparison, in a process of its own: HTTP/1.1 on one port of loopback and HTTP/2
//! without TLS on another, a body of 128 bytes for whatever is asked. It prints both ports and runs
//! until its standard input ends, so that it never outlives who started it.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use standpipe_compare::{BODY, BoxError};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let one = TcpListener::bind("127.0.0.1:0").await?;
    let two = TcpListener::bind("127.0.0.1:0").await?;
    println!("{} {}", one.local_addr()?.port(), two.local_addr()?.port());
    tokio::spawn(accept(one, |stream| async {
        let service = service_fn(answer);
        drop(
            http1::Builder::new()
                .serve_connection(stream, service)
                .await,
        );
    }));
    tokio::spawn(accept(two, |stream| async {
        let service = service_fn(answer);
        let builder = http2::Builder::new(TokioExecutor::new());
        drop(builder.serve_connection(stream, service).await);
    }));
    tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
    Ok(())
}

async fn accept<F>(listener: TcpListener, serve: impl Fn(TokioIo<TcpStream>) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    while let Ok((stream, _)) = listener.accept().await {
        drop(stream.set_nodelay(true));
        tokio::spawn(serve(TokioIo::new(stream)));
    }
}

async fn answer(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    static TEXT: [u8; BODY] = [b'x'; BODY];
    Ok(Response::new(Full::new(Bytes::from_static(&TEXT))))
}
