use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

/// The process of a server; killed and reaped on drop.
#[derive(Debug)]
pub(super) struct Process(Child);

impl Process {
    /// Runs `program` with `args`, its output in the file `log`, and waits until `is_listening`
    /// says so.
    ///
    /// # Errors
    ///
    /// `NotFound` where the program is not installed (`package` is what Debian calls it),
    /// `AddrInUse` where its port was taken, `TimedOut` where it does not listen within ten
    /// seconds. Any other end of the process is an error that holds what it had to say.
    pub(super) async fn start(
        (program, package): (&str, &str),
        args: &[&OsStr],
        log: &Path,
        is_listening: impl Fn() -> bool,
    ) -> io::Result<Self> {
        let mut process = Self(
            spawn(program, args, log).map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => {
                    let message =
                        format!("{program} is not installed (Debian's package {package})");
                    io::Error::new(io::ErrorKind::NotFound, message)
                }
                _ => error,
            })?,
        );
        let started = poll_until(|| {
            if is_listening() {
                return Ok(Some(()));
            }
            match process.0.try_wait()? {
                Some(_) => Err(died(program, log)),
                None => Ok(None),
            }
        });
        match started.await? {
            Some(()) => Ok(process),
            None => {
                let message = format!("{program} does not listen: {}", read(log));
                Err(io::Error::new(io::ErrorKind::TimedOut, message))
            }
        }
    }

    /// Kills the process, which cuts its connections, and reaps it. Does nothing the second time.
    pub(super) fn stop(&mut self) -> io::Result<()> {
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // This blocks, for the moment that the kernel takes to end a killed process: a test must
        // not leave a server behind, and the runtime that could wait for it may be gone.
        let _ = self.stop();
    }
}

/// Asks `check` every ten milliseconds, for ten seconds at most. `None` where time is up.
pub(super) async fn poll_until<T>(
    mut check: impl FnMut() -> io::Result<Option<T>>,
) -> io::Result<Option<T>> {
    const TRIES: u32 = 1000;
    let mut ticks = interval(Duration::from_millis(10));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for _ in 0..TRIES {
        ticks.tick().await;
        if let Some(found) = check()? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Debian keeps nginx in a directory that only root's path names.
fn spawn(program: &str, args: &[&OsStr], log: &Path) -> io::Result<Child> {
    let output = File::create(log)?;
    match run(program, args, &output) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            run(&format!("/usr/sbin/{program}"), args, &output)
        }
        spawned => spawned,
    }
}

fn run(program: &str, args: &[&OsStr], log: &File) -> io::Result<Child> {
    let (output, errors) = (log.try_clone()?, log.try_clone()?);
    let mut command = Command::new(program);
    command
        .args(args)
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors);
    command.spawn()
}

fn died(program: &str, log: &Path) -> io::Error {
    let said = read(log);
    let kind = match said.contains("Address already in use") {
        true => io::ErrorKind::AddrInUse,
        false => io::ErrorKind::Other,
    };
    io::Error::new(kind, format!("{program} did not start: {said}"))
}

fn read(log: &Path) -> String {
    fs::read_to_string(log).unwrap_or_else(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::super::directory::Directory;
    use super::*;

    #[tokio::test]
    async fn a_missing_program_is_named_together_with_its_package() {
        let directory = Directory::create("test").unwrap();
        let program = ("standpipe-no-such-program", "its-package");
        let error = Process::start(program, &[], &directory.join("log"), || true)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(error.to_string().contains("its-package"), "{error}");
    }

    #[tokio::test]
    async fn a_program_that_ends_early_fails_with_what_it_said() {
        let directory = Directory::create("test").unwrap();
        let args = ["-c".as_ref(), "echo wrong setting".as_ref()];
        let error = Process::start(("sh", "dash"), &args, &directory.join("log"), || false)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::Other);
        assert!(error.to_string().contains("wrong setting"), "{error}");
    }

    #[tokio::test]
    async fn a_port_that_was_taken_is_told_apart() {
        let directory = Directory::create("test").unwrap();
        let args = ["-c".as_ref(), "echo Address already in use >&2".as_ref()];
        let error = Process::start(("sh", "dash"), &args, &directory.join("log"), || false)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }
}
