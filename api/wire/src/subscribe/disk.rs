//! The last good document of a subscription on disk: two generations, each with a checksum.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::digest::sha256;

/// Why nothing could be kept.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("could not write `{path}`; is the disk full, or the folder not ours?")]
    Write { path: PathBuf, source: std::io::Error },
}

/// Keeps one document as `NAME.good`, and the one before as `NAME.before`.
#[derive(Debug, Clone)]
pub struct Disk {
    current: PathBuf,
    before: PathBuf,
    aside: PathBuf,
}

impl Disk {
    pub fn new(folder: &Path, name: &str) -> Self {
        let path = |suffix: &str| folder.join(format!("{name}.{suffix}"));
        Self { current: path("good"), before: path("before"), aside: path("new") }
    }

    /// Written aside, flushed, renamed: a crash leaves a whole document, old or new.
    pub fn store(&self, document: &[u8]) -> Result<(), Error> {
        let written = self.write_aside(document);
        written.map_err(|source| Error::Write { path: self.aside.clone(), source })?;
        if self.current.exists() {
            fs::rename(&self.current, &self.before)
                .map_err(|source| Error::Write { path: self.before.clone(), source })?;
        }
        fs::rename(&self.aside, &self.current)
            .map_err(|source| Error::Write { path: self.current.clone(), source })
    }

    fn write_aside(&self, document: &[u8]) -> std::io::Result<()> {
        if let Some(folder) = self.aside.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut file = fs::File::create(&self.aside)?;
        file.write_all(&sha256(document))?;
        file.write_all(document)?;
        file.sync_data()
    }

    /// The newest document whose checksum holds, then the one before; what does not hold is
    /// reported and passed over.
    pub fn load(&self) -> Vec<Vec<u8>> {
        let read = |path: &PathBuf| {
            let bytes = fs::read(path).ok()?;
            let (checksum, document) = bytes.split_at_checked(32)?;
            if sha256(document)[..] == *checksum {
                return Some(document.to_vec());
            }
            tracing::warn!(path = %path.display(), "a kept document is damaged; passing it over");
            None
        };
        [&self.current, &self.before].into_iter().filter_map(read).collect()
    }
}

#[cfg(test)]
mod tests;
