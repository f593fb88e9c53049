//! The folder of one member as a flat set of files: the seam at which a simulation injects faults.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

#[cfg(test)]
pub(super) mod memory;
#[cfg(test)]
mod tests;

/// What the log and the snapshots ask of a file system.
///
/// An error of `create`, `write` or `sync` leaves the file in an unknown state. Callers never try
/// again: after a failed flush the kernel may have dropped the dirty pages and report success.
pub trait Disk: Send {
    /// Names of all files, in no particular order.
    fn list(&self) -> io::Result<Vec<String>>;

    fn read(&self, name: &str) -> io::Result<Vec<u8>>;

    /// Makes a file of `size` bytes: `content`, then zeros. Durable on return, and a crash leaves
    /// either the whole file or none.
    fn create(&mut self, name: &str, content: &[u8], size: u64) -> io::Result<()>;

    /// Writes inside a file made by `create`; durable only after `sync`.
    fn write(&mut self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()>;

    fn sync(&mut self, name: &str) -> io::Result<()>;

    fn remove(&mut self, name: &str) -> io::Result<()>;

    /// The file as an operator finds it.
    fn path(&self, name: &str) -> PathBuf;
}

/// A folder of the real file system, held by one process at a time.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// The segment being written; opened once, not per commit.
    open: Option<(String, File)>,
    _lock: File,
}

#[derive(Debug, thiserror::Error)]
pub enum OpenFolderError {
    #[error("cannot prepare the data folder `{path}`; check that it is writable by this user")]
    Prepare { path: PathBuf, source: io::Error },
    #[error("the data folder `{path}` is in use by another process; stop that one first")]
    InUse { path: PathBuf },
}

const LOCK_NAME: &str = "lock";
const ASIDE_SUFFIX: &str = ".aside";
static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];

impl Folder {
    pub fn open(path: &Path) -> Result<Folder, OpenFolderError> {
        let prepare = |source| OpenFolderError::Prepare { path: path.to_owned(), source };
        fs::create_dir_all(path).map_err(prepare)?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.join(LOCK_NAME))
            .map_err(prepare)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(OpenFolderError::InUse { path: path.to_owned() });
            }
            Err(TryLockError::Error(source)) => return Err(prepare(source)),
        }
        // What a crash left half made was never acknowledged.
        for name in names(path).map_err(prepare)? {
            if name.ends_with(ASIDE_SUFFIX) {
                fs::remove_file(path.join(name)).map_err(prepare)?;
            }
        }
        Ok(Folder { path: path.to_owned(), open: None, _lock: lock })
    }

    fn sync_folder(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }

    fn file(&mut self, name: &str) -> io::Result<&File> {
        if self.open.as_ref().is_none_or(|(opened, _)| opened != name) {
            let file = OpenOptions::new().write(true).open(self.path.join(name))?;
            self.open = Some((name.to_owned(), file));
        }
        let Some((_, file)) = &self.open else {
            return Err(io::Error::from(io::ErrorKind::NotFound));
        };
        Ok(file)
    }
}

impl Disk for Folder {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(names(&self.path)?.into_iter().filter(|name| name != LOCK_NAME).collect())
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        fs::read(self.path.join(name))
    }

    fn create(&mut self, name: &str, content: &[u8], size: u64) -> io::Result<()> {
        let aside = self.path.join(format!("{name}{ASIDE_SUFFIX}"));
        let mut file = File::create(&aside)?;
        file.write_all(content)?;
        let mut missing = size.saturating_sub(content.len() as u64);
        while missing > 0 {
            let step = missing.min(ZEROS.len() as u64);
            file.write_all(&ZEROS[..step as usize])?;
            missing -= step;
        }
        file.sync_all()?;
        fs::rename(&aside, self.path.join(name))?;
        self.sync_folder()
    }

    fn write(&mut self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.file(name)?.write_all_at(bytes, offset)
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        self.file(name)?.sync_data()
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        if self.open.as_ref().is_some_and(|(opened, _)| opened == name) {
            self.open = None;
        }
        fs::remove_file(self.path.join(name))?;
        self.sync_folder()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

fn names(path: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(path)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    Ok(names)
}
