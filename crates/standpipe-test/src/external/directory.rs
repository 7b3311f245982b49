use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::{env, fs, io, process};

/// A temporary directory of our own, removed on drop.
#[derive(Debug)]
pub(super) struct Directory(PathBuf);

impl Directory {
    /// Makes an empty directory; `name` says whose it is.
    pub(super) fn create(name: &str) -> io::Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let unique = format!("standpipe-{name}-{}-{number}", process::id());
            let path = env::temp_dir().join(unique);
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Self(path)),
                // An earlier process of the same id was killed before it could clean up.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file at `folder` followed by the URL path `url_path`.
    pub(super) fn write_document(
        &self,
        folder: &str,
        url_path: &str,
        bytes: &[u8],
    ) -> io::Result<()> {
        let relative = Path::new(url_path.trim_start_matches('/'));
        let stays_inside = |part: Component<'_>| matches!(part, Component::Normal(_));
        if relative.as_os_str().is_empty() || !relative.components().all(stays_inside) {
            let message = format!("a document's path is like `/name`, but this is `{url_path}`");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        let path = self.join(folder).join(relative);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, bytes)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // A directory left behind harms nobody, and a panic here would hide the test's own.
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_removed_with_its_files_on_drop() {
        let directory = Directory::create("test").unwrap();
        let path = directory.path().to_owned();
        directory.write_document("root", "/a/b.txt", b"b").unwrap();
        assert_eq!(fs::read(path.join("root/a/b.txt")).unwrap(), b"b");
        drop(directory);
        assert!(!path.exists());
    }

    #[test]
    fn a_document_cannot_be_written_outside_its_folder() {
        let directory = Directory::create("test").unwrap();
        for path in ["/", "", "/../up", "/a/../../up"] {
            let error = directory.write_document("root", path, b"").unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{path}");
        }
    }
}
