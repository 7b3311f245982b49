//! A pool whose environment names a proxy that is none. In a process of its own, for its variable's
//! sake.

use std::process::Command;

use standpipe::{ErrorKind, Pool};

/// PRX-01
#[test]
fn a_pool_that_cannot_fail_to_be_made_tells_of_a_misspelt_proxy_by_its_requests() {
    if std::env::var_os("STANDPIPE_TEST_CHILD").is_some() {
        return tell();
    }
    let program = std::env::current_exe().unwrap();
    let child = Command::new(program)
        .arg("--nocapture")
        .env("STANDPIPE_TEST_CHILD", "1")
        .env("http_proxy", "gopher://no.proxy")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout).into_owned();
    assert!(child.status.success(), "{said}");
    assert!(said.contains("was told"), "{said}");
}

fn tell() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        for pool in [Pool::new(), standpipe::shared()] {
            let error = pool
                .get("http://a.test/")
                .no_retry()
                .send()
                .await
                .unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        }
        let refused = Pool::builder().build().unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Config);
        println!("was told");
    });
}
