use std::fmt;
use std::io::{BufRead, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cookie_store::CookieStore;
use http::header::SET_COOKIE;
use http::{HeaderMap, HeaderValue, Uri};
use standpipe_core::sync::Mutex;
use standpipe_core::{BoxError, Error, ErrorKind, Phase};
use url::Url;

use super::shelf::Shelf;

/// The cookies of any number of pools, as `cookie_store` keeps them by RFC 6265: by domain, path,
/// `Secure` and expiry.
///
/// No cookie goes to another host than the one that set it, or those below the `Domain` that it named.
/// A `Secure` one is taken and sent by https alone; `__Host-` and `__Secure-` have to be what they
/// promise. Kept are 4 KiB of a cookie, 180 cookies of a domain and 3,000 in all; what is beyond is left
/// out.
///
/// Which names are public suffixes, such as `co.uk`, no code knows without a list. A jar [that was given
/// one](Self::with_public_suffixes) takes no cookie for them; any other refuses top-level domains alone.
///
/// ```
/// use standpipe::CookieJar;
///
/// let jar = CookieJar::new();
/// jar.set("https://api.example.com/", "session=1; Path=/; Secure").unwrap();
/// assert_eq!(jar.get("https://api.example.com/v1").unwrap().unwrap(), "session=1");
/// assert!(jar.get("https://other.example.com/v1").unwrap().is_none());
/// ```
///
/// # Clone
///
/// All clones are the same jar.
#[derive(Clone, Default)]
pub struct CookieJar {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    shelf: Mutex<Shelf>,
    /// Whether the shelf may hold a cookie, so that a request takes no lock for nothing. Written under
    /// the lock alone, or a cookie that is put in while another clears the jar would stay unseen.
    used: AtomicBool,
}

impl CookieJar {
    /// An empty jar.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty jar that knows the public suffixes of `list`, which is in the format of
    /// publicsuffix.org.
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config) where it is not.
    pub fn with_public_suffixes(list: &str) -> Result<Self, Error> {
        let list: publicsuffix::List = list.parse().map_err(|error: publicsuffix::Error| {
            Error::new(ErrorKind::Config)
                .with_message("the list of public suffixes is malformed")
                .with_source(error.to_string())
        })?;
        let jar = Self::new();
        *jar.shared.shelf.lock() = Shelf::with_suffixes(list);
        Ok(jar)
    }

    /// Keeps `cookie`, in the form of a `Set-Cookie`, as if `url` had answered with it. An expired one
    /// removes what it names.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](ErrorKind::InvalidRequest) where `url` is no URL of http or https, or may not
    /// set this cookie.
    pub fn set(&self, url: &str, cookie: &str) -> Result<(), Error> {
        let url = parsed(url)?;
        let kept = self.change(|shelf| shelf.put(cookie, &url));
        kept.map_err(|refused| invalid(&format!("the cookie is not kept: {}", refused.0)))
    }

    /// The `Cookie` header of a request for `url`; none where no cookie is for it.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](ErrorKind::InvalidRequest) where it is no URL of http or https.
    pub fn get(&self, url: &str) -> Result<Option<HeaderValue>, Error> {
        let url = parsed(url)?;
        Ok(self.shared.shelf.lock().header(&url))
    }

    /// Removes all cookies.
    pub fn clear(&self) {
        self.change(|shelf| shelf.store.clear());
    }

    /// How many cookies are kept and have not expired. Takes time in proportion to their number.
    pub fn len(&self) -> usize {
        self.shared.shelf.lock().store.iter_unexpired().count()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes the cookies that last beyond a session, as JSON in `cookie_store`'s form. It is as secret
    /// as they are.
    ///
    /// # Errors
    ///
    /// [`Other`](ErrorKind::Other), with `writer`'s error as the source.
    pub fn save(&self, writer: &mut impl Write) -> Result<(), Error> {
        self.write(writer, cookie_store::serde::json::save)
    }

    /// As [`save`](Self::save), with the cookies that end with the session too.
    ///
    /// # Errors
    ///
    /// As [`save`](Self::save).
    pub fn save_with_session(&self, writer: &mut impl Write) -> Result<(), Error> {
        let all = cookie_store::serde::json::save_incl_expired_and_nonpersistent;
        self.write(writer, all)
    }

    /// Takes the cookies that [`save`](Self::save) wrote, in place of those in the jar. Those that have
    /// expired since are left out.
    ///
    /// # Errors
    ///
    /// [`Decode`](ErrorKind::Decode) where it cannot be read; the jar is then as it was.
    pub fn load(&self, reader: impl BufRead) -> Result<(), Error> {
        // Whatever the reason, it might quote a cookie.
        let store = cookie_store::serde::json::load(reader).map_err(|_| {
            Error::new(ErrorKind::Decode).with_message("the saved cookies cannot be read")
        })?;
        self.change(|shelf| shelf.replace(store));
        Ok(())
    }

    /// Serialises first, so that no writer runs under the lock.
    fn write(
        &self,
        writer: &mut impl Write,
        save: impl FnOnce(&CookieStore, &mut Vec<u8>) -> Result<(), BoxError>,
    ) -> Result<(), Error> {
        let mut json = Vec::new();
        let saved = save(&self.shared.shelf.lock().store, &mut json);
        saved
            .and_then(|()| Ok(writer.write_all(&json)?))
            .map_err(|error| {
                Error::new(ErrorKind::Other)
                    .with_message("the cookies cannot be written")
                    .with_source(error)
            })
    }

    /// The `Cookie` header of a request for `uri`.
    #[inline]
    pub(super) fn of(&self, uri: &Uri) -> Option<HeaderValue> {
        if !self.shared.used.load(Ordering::Acquire) {
            return None;
        }
        let url = Url::parse(&uri.to_string()).ok()?;
        self.shared.shelf.lock().header(&url)
    }

    /// Keeps what an answer of `uri` sets.
    #[cold]
    pub(super) fn keep(&self, uri: &Uri, headers: &HeaderMap) {
        let Ok(url) = parsed(&uri.to_string()) else {
            return;
        };
        let texts = headers.get_all(SET_COOKIE).iter();
        let texts = texts.filter_map(|value| std::str::from_utf8(value.as_bytes()).ok());
        self.change(|shelf| {
            for text in texts {
                // One that may not be kept is left out, as a browser does.
                let _ = shelf.put(text, &url);
            }
        });
    }

    fn change<T>(&self, change: impl FnOnce(&mut Shelf) -> T) -> T {
        let mut shelf = self.shared.shelf.lock();
        let changed = change(&mut shelf);
        let used = shelf.store.iter_any().next().is_some();
        self.shared.used.store(used, Ordering::Release);
        changed
    }
}

/// Without the cookies, which are secrets.
impl fmt::Debug for CookieJar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CookieJar")
            .field("cookies", &self.len())
            .finish()
    }
}

fn parsed(url: &str) -> Result<Url, Error> {
    match Url::parse(url) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(url),
        _ => Err(invalid("the URL is none of http or https")),
    }
}

fn invalid(message: &str) -> Error {
    Error::new(ErrorKind::InvalidRequest)
        .with_phase(Phase::Check)
        .with_message(message)
}
