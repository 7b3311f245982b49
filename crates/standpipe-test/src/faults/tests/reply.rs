//! Answers that are as they should be, of whatever size.

use std::io::Read;

use super::*;
use crate::faults::{At, Fault};

#[tokio::test(start_paused = true)]
async fn unscripted_requests_get_the_reply() {
    for protocol in BOTH {
        let mut test = Test::new(protocol, hello()).await;
        for _ in 0..3 {
            let response = test.get().await.unwrap();
            assert_eq!(response.status(), 200);
            assert_eq!(response.headers()["content-length"], "5");
            assert_eq!(body(response).await.unwrap(), "hello");
        }
        let response = test.client.send(post(300_000)).await.unwrap();
        assert_eq!(body(response).await.unwrap(), "hello");
        let stats = test.server.stats();
        assert_eq!((stats.connections, stats.peak_open), (1, 1));
        assert_eq!(stats.requests_per_connection, [4]);
        assert!((300_000..330_000).contains(&stats.bytes_in), "{stats:?}");
        assert!((80..1000).contains(&stats.bytes_out), "{stats:?}");
        test.closes_with_the_client().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_reply_of_its_own_is_for_one_request() {
    for protocol in BOTH {
        let busy = Reply::new(503).header("retry-after", "7").body("busy");
        let mut test = Test::new(protocol, hello().request(1, busy)).await;
        assert_eq!(test.get().await.unwrap().status(), 200);
        let response = test.get().await.unwrap();
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()["retry-after"], "7");
        assert_eq!(body(response).await.unwrap(), "busy");
        assert_eq!(test.get().await.unwrap().status(), 200);
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_larger_than_any_window_comes_whole() {
    for protocol in BOTH {
        let large = Bytes::from(vec![7; 4_000_000]);
        let reply = Reply::new(200).body(large.clone());
        let mut test = Test::new(protocol, FaultServer::builder().reply(reply)).await;
        let response = test.get().await.unwrap();
        // Nobody reads it at first, so that the windows are used up.
        tokio::time::sleep(SECOND).await;
        assert!(body(response).await.unwrap() == large);
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_larger_than_a_frame_comes_whole() {
    for protocol in BOTH {
        let large = "x".repeat(40_000);
        let reply = Reply::new(200).header("x-large", &large[..15_000]);
        let reply = reply.header("x-larger", &large[..12_000]);
        let mut test = Test::new(protocol, FaultServer::builder().reply(reply)).await;
        for _ in 0..2 {
            let response = test.get().await.unwrap();
            assert_eq!(response.headers()["x-larger"].len(), 12_000);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_request_is_answered_without_a_body() {
    let script = hello().request(1, Fault::Reset(At::Body(2)));
    let mut test = Test::new(Protocol::Http1, script).await;
    for _ in 0..2 {
        let request = with_body(Request::head(URL), Bytes::new());
        let response = test.client.send(request).await.unwrap();
        assert_eq!(response.headers()["content-length"], "5");
    }
    test.server.until(|stats| stats.open == 0).await;
}

#[tokio::test(start_paused = true)]
async fn redirects_lead_round_in_a_loop() {
    for protocol in BOTH {
        let script = FaultServer::builder().reply(Reply::redirect("/again"));
        let mut test = Test::new(protocol, script).await;
        for _ in 0..20 {
            let response = test.get().await.unwrap();
            assert_eq!(response.status(), 302);
            assert_eq!(response.headers()["location"], "/again");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_decompression_bomb_unpacks_to_all_its_zeros() {
    for protocol in BOTH {
        for n in [0, 1, 258, 259, 10_000, 3_000_000] {
            let script = hello().request(0, Reply::decompression_bomb(n));
            let mut test = Test::new(protocol, script).await;
            let response = test.get().await.unwrap();
            assert_eq!(response.headers()["content-encoding"], "gzip");
            let packed = body(response).await.unwrap();
            assert!(packed.len() as u64 <= n / 1000 + 200, "{}", packed.len());
            // The decoder checks the sum and the length at the end.
            let mut unpacked = Vec::new();
            let mut decoder = flate2::read::GzDecoder::new(&packed[..]);
            decoder.read_to_end(&mut unpacked).unwrap();
            assert_eq!(unpacked.len() as u64, n);
            assert!(unpacked.iter().all(|byte| *byte == 0));
        }
    }
}
