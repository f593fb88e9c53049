//! A disk in memory that can crash, fail and rot.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Disk;

/// Clones share the files, as restarts of one member do.
#[derive(Debug, Clone, Default)]
pub(in crate::raft) struct MemoryDisk {
    content: Arc<Mutex<Content>>,
}

#[derive(Debug, Default)]
struct Content {
    /// What the process sees.
    seen: BTreeMap<String, Vec<u8>>,
    /// What a power cut leaves.
    durable: BTreeMap<String, Vec<u8>>,
    /// What was written since the last flush.
    dirty: Vec<(String, std::ops::Range<usize>)>,
    syncs: u64,
    fail_syncs: bool,
}

const SECTOR: usize = 512;

impl MemoryDisk {
    /// A copy that shares nothing.
    pub(in crate::raft) fn fork(&self) -> MemoryDisk {
        let content = self.lock();
        MemoryDisk {
            content: Arc::new(Mutex::new(Content {
                seen: content.seen.clone(),
                durable: content.durable.clone(),
                ..Content::default()
            })),
        }
    }

    /// A power cut: of the sectors not flushed, those stay of which `keep` says so.
    pub(in crate::raft) fn crash(&self, mut keep: impl FnMut(usize) -> bool) {
        let mut content = self.lock();
        let Content { seen, durable, .. } = &mut *content;
        let mut unflushed = 0;
        for (name, durable) in durable.iter_mut() {
            let Some(seen) = seen.get(name) else { continue };
            for (seen, durable) in seen.chunks(SECTOR).zip(durable.chunks_mut(SECTOR)) {
                if seen != durable {
                    if keep(unflushed) {
                        durable.copy_from_slice(seen);
                    }
                    unflushed += 1;
                }
            }
        }
        content.seen = content.durable.clone();
        content.dirty.clear();
        content.fail_syncs = false;
    }

    pub(in crate::raft) fn fail_syncs(&self) {
        self.lock().fail_syncs = true;
    }

    pub(in crate::raft) fn syncs(&self) -> u64 {
        self.lock().syncs
    }

    pub(in crate::raft) fn names(&self) -> Vec<String> {
        self.lock().seen.keys().cloned().collect()
    }

    pub(in crate::raft) fn content(&self, name: &str) -> Vec<u8> {
        self.lock().seen[name].clone()
    }

    /// Puts other bytes in place, as rot or an operator would.
    pub(in crate::raft) fn replace(&self, name: &str, bytes: Vec<u8>) {
        let mut content = self.lock();
        content.seen.insert(name.to_owned(), bytes.clone());
        content.durable.insert(name.to_owned(), bytes);
    }

    fn lock(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Disk for MemoryDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.names())
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        self.lock().seen.get(name).cloned().ok_or(io::ErrorKind::NotFound.into())
    }

    fn create(&mut self, name: &str, content: &[u8], size: u64) -> io::Result<()> {
        let mut bytes = content.to_vec();
        bytes.resize(size as usize, 0);
        self.replace(name, bytes);
        Ok(())
    }

    fn write(&mut self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut content = self.lock();
        let file = content.seen.get_mut(name).ok_or(io::Error::from(io::ErrorKind::NotFound))?;
        let range = offset as usize..offset as usize + bytes.len();
        file[range.clone()].copy_from_slice(bytes);
        content.dirty.push((name.to_owned(), range));
        Ok(())
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        let mut content = self.lock();
        if content.fail_syncs {
            return Err(io::Error::other("the disk is gone"));
        }
        let Content { seen, durable, dirty, syncs, .. } = &mut *content;
        for (_, range) in dirty.extract_if(.., |(written, _)| written == name) {
            if let (Some(seen), Some(durable)) = (seen.get(name), durable.get_mut(name)) {
                durable[range.clone()].copy_from_slice(&seen[range]);
            }
        }
        *syncs += 1;
        Ok(())
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        let mut content = self.lock();
        content.durable.remove(name);
        content.seen.remove(name).map(|_| ()).ok_or(io::ErrorKind::NotFound.into())
    }

    fn path(&self, name: &str) -> PathBuf {
        PathBuf::from(name)
    }
}
