use std::fmt;
use std::fs::File;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use standpipe_core::{Body, Error, ErrorKind, Phase};
use tokio::task::{JoinHandle, spawn_blocking};

/// How much of the file is read at once; one such piece is in memory for each sending.
const PIECE: usize = 128 * 1024;

/// A file as a request body: its length is known, and a retry can send it again.
///
/// The file is opened once and read anew for each attempt, piece by piece as the connection takes
/// them. As long as the body lives it is the file that was opened, whatever becomes of its name.
///
/// ```
/// # async fn run(pool: standpipe::Pool) -> Result<(), standpipe::Error> {
/// use standpipe::FileBody;
///
/// let file = FileBody::open("backup.tar").await?;
/// pool.put("https://example.com/backups/today").body(file).send().await?;
/// # Ok(()) }
/// ```
///
/// # Clone
///
/// A clone is of the same open file.
///
/// # Errors
///
/// Frames give an [`Error`] of kind [`RequestBody`](ErrorKind::RequestBody) where reading fails, or
/// where the file has become shorter. What was added to it meanwhile is not sent.
///
/// # Panics
///
/// The body panics when read outside a tokio runtime, whose threads for blocking work read the file.
#[derive(Clone, Debug)]
pub struct FileBody {
    file: Arc<File>,
    length: u64,
}

impl FileBody {
    /// Opens the file at `path`.
    ///
    /// # Errors
    ///
    /// [`RequestBody`](ErrorKind::RequestBody) where it cannot be opened or is no file, with the reason
    /// as its source.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it opens nothing that is not closed again.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref().to_owned();
        let opened = spawn_blocking(move || open(&path)).await;
        let (file, length) =
            flatten(opened).map_err(|error| failed("it cannot be opened", error))?;
        Ok(Self {
            file: Arc::new(file),
            length,
        })
    }

    /// A file that is open already, from its begin to the length it has now. Its cursor is not looked
    /// at, and on Unix not moved.
    ///
    /// # Errors
    ///
    /// [`RequestBody`](ErrorKind::RequestBody) where its length cannot be told, or it is no file.
    pub fn from_std(file: File) -> Result<Self, Error> {
        let length = length_of(&file).map_err(|error| failed("its length is not known", error))?;
        Ok(Self {
            file: Arc::new(file),
            length,
        })
    }

    /// The length, in bytes, that it had when it was opened.
    pub fn length(&self) -> u64 {
        self.length
    }

    fn reading(&self) -> Reading {
        Reading {
            file: Arc::clone(&self.file),
            at: 0,
            length: self.length,
            piece: None,
        }
    }
}

impl From<FileBody> for Body {
    fn from(file: FileBody) -> Self {
        match file.length {
            0 => Self::empty(),
            _ => Self::from_fn(move || file.reading()),
        }
    }
}

/// One sending of the file.
struct Reading {
    file: Arc<File>,
    at: u64,
    length: u64,
    piece: Option<JoinHandle<io::Result<Bytes>>>,
}

impl HttpBody for Reading {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = self.get_mut();
        if this.at == this.length {
            return Poll::Ready(None);
        }
        let piece = this.piece.get_or_insert_with(|| {
            let (file, at) = (Arc::clone(&this.file), this.at);
            let length = (this.length - at).min(PIECE as u64) as usize;
            spawn_blocking(move || read_at(&file, at, length))
        });
        let read = flatten(ready!(Pin::new(piece).poll(cx)));
        this.piece = None;
        match read {
            Ok(piece) => {
                this.at += piece.len() as u64;
                Poll::Ready(Some(Ok(Frame::data(piece))))
            }
            Err(error) => {
                this.at = this.length;
                Poll::Ready(Some(Err(failed("it cannot be read", error))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.at == self.length
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length - self.at)
    }
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reading({} of {})", self.at, self.length)
    }
}

fn open(path: &PathBuf) -> io::Result<(File, u64)> {
    let file = File::open(path)?;
    let length = length_of(&file)?;
    Ok((file, length))
}

fn length_of(file: &File) -> io::Result<u64> {
    let metadata = file.metadata()?;
    match metadata.is_file() {
        true => Ok(metadata.len()),
        false => Err(io::Error::new(io::ErrorKind::InvalidInput, "not a file")),
    }
}

/// The piece of `length` bytes at `at`, or less of it; never nothing.
fn read_at(file: &File, at: u64, length: usize) -> io::Result<Bytes> {
    let mut piece = vec![0; length];
    loop {
        match positioned(file, &mut piece, at) {
            Ok(0) => {
                let message = "the file has become shorter";
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, message));
            }
            Ok(read) => {
                piece.truncate(read);
                return Ok(piece.into());
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(unix)]
fn positioned(file: &File, piece: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, piece, at)
}

#[cfg(windows)]
fn positioned(file: &File, piece: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, piece, at)
}

fn flatten<T>(joined: Result<io::Result<T>, tokio::task::JoinError>) -> io::Result<T> {
    joined.unwrap_or_else(|error| Err(io::Error::other(error)))
}

/// The path is not in the message: it may tell more of this machine than a log should hold.
fn failed(what: &str, error: io::Error) -> Error {
    Error::new(ErrorKind::RequestBody)
        .with_phase(Phase::Check)
        .with_message(format!("the file of the body: {what}"))
        .with_source(error)
}
