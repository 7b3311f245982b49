use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};

use tokio::runtime::Handle;
use tokio::task::consume_budget;

/// Whether this is called within something that tokio polls.
///
/// Tokio tells whether there is a runtime, but not whether that may be kept waiting. It gives each task
/// that it polls a budget of steps, though, and none to what may block. So a budget that ends is the
/// sign. What is spent of it here makes the task yield a little earlier, after the error.
pub(super) fn is_async() -> bool {
    if Handle::try_current().is_err() {
        return false;
    }
    let mut cx = Context::from_waker(Waker::noop());
    // It is counted in a byte.
    (0..=u8::MAX).any(|_| pin!(consume_budget()).poll(&mut cx).is_pending())
}

#[cfg(test)]
mod tests {
    use tokio::runtime::{Builder, Runtime};
    use tokio::task::{LocalSet, block_in_place};

    use super::is_async;

    fn runtimes() -> [Runtime; 2] {
        [Builder::new_current_thread(), Builder::new_multi_thread()]
            .map(|mut builder| builder.enable_all().build().unwrap())
    }

    #[test]
    fn what_tokio_polls_is_async() {
        for runtime in runtimes() {
            assert!(runtime.block_on(async { is_async() }));
            assert!(runtime.handle().block_on(async { is_async() }));
            let spawned = runtime.spawn(async { is_async() });
            assert!(runtime.block_on(spawned).unwrap());
            let local = LocalSet::new();
            let spawned = local.spawn_local(async { is_async() });
            assert!(local.block_on(&runtime, spawned).unwrap());
        }
    }

    #[test]
    fn a_thread_that_may_block_is_not() {
        assert!(!is_async());
        for runtime in runtimes() {
            {
                let _entered = runtime.enter();
                assert!(!is_async());
            }
            assert!(!runtime.block_on(runtime.spawn_blocking(is_async)).unwrap());
        }
        let [_, threads] = runtimes();
        let spawned = threads.spawn(async { block_in_place(is_async) });
        assert!(!threads.block_on(spawned).unwrap());
    }

    #[test]
    fn a_task_goes_on_after_it_was_told() {
        let [single, _] = runtimes();
        single.block_on(async {
            assert!(is_async());
            tokio::task::yield_now().await;
            // The budget is spent, which is a sign too.
            assert!(is_async() && is_async());
            let (tell, told) = tokio::sync::oneshot::channel();
            tell.send(7).unwrap();
            assert_eq!(told.await.unwrap(), 7);
        });
    }
}
