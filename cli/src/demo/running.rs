//! The one demo that a user can have running, as other terminals find it.
//!
//! `FOLDER/lock` is held by the outermost process as long as it lives; `FOLDER/demo.json` says
//! where to enter.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use serde::{Deserialize, Serialize};

use super::namespaces::enter::User;
use super::plan::Network;

// Of fcntl(2), as wide as the fields they are for.
const SHARED: libc::c_short = libc::F_RDLCK as libc::c_short;
const EXCLUSIVE: libc::c_short = libc::F_WRLCK as libc::c_short;
const NONE: libc::c_short = libc::F_UNLCK as libc::c_short;
const FROM_START: libc::c_short = libc::SEEK_SET as libc::c_short;

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
        ensure!(is_held(&lock)?, nobody());
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
    match fcntl(&lock, FcntlArg::F_OFD_SETLK(&whole_file(EXCLUSIVE))) {
        Ok(_) => {}
        Err(Errno::EAGAIN | Errno::EACCES) => {
            bail!("a demo is already running in `{shown}`; end it, or choose another `--folder`")
        }
        Err(error) => return Err(error).context("could not lock the folder"),
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
    let opened = OpenOptions::new().write(true).open(lock_path(folder));
    let lock = opened.context("could not open the lock file")?;
    loop {
        match fcntl(&lock, FcntlArg::F_OFD_SETLKW(&whole_file(EXCLUSIVE))) {
            Err(Errno::EINTR) => {}
            ended => {
                ended.context("could not wait for the lock")?;
                return Ok(lock);
            }
        }
    }
}

/// Asks without taking: a demo that starts at that moment must not find a lock of who only asks.
/// That is why these are locks of an open file description (fcntl(2)), and not those of flock(2),
/// which can only be tried.
fn is_held(lock: &File) -> anyhow::Result<bool> {
    let mut asked = whole_file(SHARED);
    fcntl(lock, FcntlArg::F_OFD_GETLK(&mut asked)).context("could not ask for the lock")?;
    Ok(asked.l_type != NONE)
}

fn whole_file(kind: libc::c_short) -> libc::flock {
    libc::flock { l_type: kind, l_whence: FROM_START, l_start: 0, l_len: 0, l_pid: 0 }
}

fn lock_path(folder: &Path) -> PathBuf {
    folder.join("lock")
}

fn state_path(folder: &Path) -> PathBuf {
    folder.join("demo.json")
}

#[cfg(test)]
mod tests;
