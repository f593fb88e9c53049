//! The one demo that a user can have running, as other terminals find it.
//!
//! `FOLDER/lock` is held by the outermost process as long as it lives; `FOLDER/demo.json` says
//! where to enter.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use serde::{Deserialize, Serialize};

use super::namespaces::enter::User;
use super::plan::Network;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Running {
    /// The inner process, by its number on the host.
    pub(crate) process: u32,
    pub(crate) network: Network,
    pub(crate) user: Option<User>,
}

impl Running {
    pub(crate) fn find(folder: &Path) -> anyhow::Result<Self> {
        let nobody = || {
            format!("no demo is running in `{}`; start one with `rialto demo`", folder.display())
        };
        let lock = File::open(lock_path(folder)).with_context(nobody)?;
        ensure!(matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)), nobody());
        let text = fs::read(state_path(folder)).context("the demo is still starting")?;
        serde_json::from_slice(&text).context("`demo.json` could not be read")
    }

    pub(crate) fn publish(&self, folder: &Path) -> anyhow::Result<()> {
        let aside = folder.join("demo.json.new");
        fs::write(&aside, serde_json::to_vec(self)?).context("could not write `demo.json`")?;
        fs::rename(&aside, state_path(folder)).context("could not publish `demo.json`")
    }
}

pub(crate) fn default_folder() -> PathBuf {
    std::env::temp_dir().join(format!("rialto-demo-{}", nix::unistd::geteuid()))
}

/// Makes the folder anew, and holds it as long as the returned file lives.
pub(crate) fn take(folder: &Path) -> anyhow::Result<File> {
    let shown = folder.display();
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .with_context(|| format!("could not make `{shown}`"))?;
    let owner =
        fs::symlink_metadata(folder).with_context(|| format!("could not read `{shown}`"))?;
    ensure!(
        owner.is_dir() && owner.uid() == nix::unistd::geteuid().as_raw(),
        "`{shown}` belongs to somebody else; choose another with `--folder`"
    );
    let lock = File::create(lock_path(folder)).context("could not make the lock file")?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            bail!("a demo is already running in `{shown}`; end it, or choose another `--folder`")
        }
        Err(TryLockError::Error(error)) => return Err(error).context("could not lock the folder"),
    }
    // What a demo left that was killed together with its inner process.
    for entry in fs::read_dir(folder).with_context(|| format!("could not read `{shown}`"))? {
        let path = entry.context("could not read the run folder")?.path();
        if path == lock_path(folder) {
            continue;
        }
        let removed =
            if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.with_context(|| format!("could not remove `{}`", path.display()))?;
    }
    Ok(lock)
}

/// Waits until the outermost process is gone.
pub(crate) fn wait_for_end(folder: &Path) -> anyhow::Result<File> {
    let lock = File::open(lock_path(folder)).context("could not open the lock file")?;
    lock.lock().context("could not wait for the lock")?;
    Ok(lock)
}

fn lock_path(folder: &Path) -> PathBuf {
    folder.join("lock")
}

fn state_path(folder: &Path) -> PathBuf {
    folder.join("demo.json")
}

#[cfg(test)]
mod tests;
