//! The registry of a VM fleet or a laptop: one YAML file, read again when it changes.
//!
//! The file is looked at each second rather than watched: polling sees a renamed file, a switched
//! symbolic link and a network file system alike, and costs one `stat`.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rialto_types::limits;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use crate::provider::{Event, Fault, Provider};

pub mod document;

/// The file, and what was last seen of it.
#[derive(Debug)]
pub struct StaticFile {
    path: PathBuf,
    next_look: Option<Instant>,
    seen: Seen,
    /// The look under way; kept here so that a dropped `next` does not lose it.
    looking: Option<JoinHandle<(Seen, Option<Event>)>>,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    stamp: Option<Stamp>,
    /// Whether the stamp was too young at the last look to prove that nothing changed.
    young: bool,
    outcome: Option<Event>,
}

/// What differs when a file was changed or replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    bytes: u64,
    inode: u64,
}

impl StaticFile {
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), next_look: None, seen: Seen::default(), looking: None }
    }

    /// Reads the file if it changed, and tells what differs from the last time.
    fn look(path: &Path, mut seen: Seen) -> (Seen, Option<Event>) {
        let event = match stamp(path) {
            Err(error) => {
                seen.stamp = None;
                Event::Failed(vec![unreadable(path, &error)])
            }
            Ok(stamp) if seen.stamp.as_ref() == Some(&stamp) && !seen.young => return (seen, None),
            Ok(stamp) => {
                let age = stamp.modified.and_then(|at| at.elapsed().ok());
                seen.young = age.is_none_or(|age| age < limits::STATIC_FILE_TIME_STAMP_GRAIN);
                seen.stamp = Some(stamp);
                read(path)
            }
        };
        if seen.outcome.as_ref() == Some(&event) {
            return (seen, None);
        }
        seen.outcome = Some(event.clone());
        (seen, Some(event))
    }
}

impl Provider for StaticFile {
    async fn next(&mut self) -> Event {
        loop {
            if let Some(at) = self.next_look {
                sleep_until(at).await;
            }
            let looking = self.looking.get_or_insert_with(|| {
                let (path, seen) = (self.path.clone(), std::mem::take(&mut self.seen));
                tokio::task::spawn_blocking(move || Self::look(&path, seen))
            });
            let looked = looking.await;
            self.looking = None;
            self.next_look = Some(Instant::now() + limits::STATIC_FILE_POLL);
            let (seen, event) = looked.expect("reading the registry file does not panic");
            self.seen = seen;
            if let Some(event) = event {
                return event;
            }
        }
    }
}

fn read(path: &Path) -> Event {
    match read_bounded(path) {
        Err(error) => Event::Failed(vec![unreadable(path, &error)]),
        Ok(text) => match document::parse(&path.display().to_string(), &text) {
            Ok(registry) => Event::Replaced(registry),
            Err(faults) => Event::Failed(faults),
        },
    }
}

fn read_bounded(path: &Path) -> io::Result<String> {
    let file = std::fs::File::open(path)?;
    let mut text = String::new();
    let read = file.take(limits::STATIC_FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if read as u64 > limits::STATIC_FILE_BYTES_MAX {
        return Err(too_large());
    }
    Ok(text)
}

fn stamp(path: &Path) -> io::Result<Stamp> {
    use std::os::unix::fs::MetadataExt;
    let metadata = std::fs::metadata(path)?;
    // Opening a named pipe would block for as long as nobody writes to it.
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "this is not a regular file"));
    }
    if metadata.len() > limits::STATIC_FILE_BYTES_MAX {
        return Err(too_large());
    }
    let modified = metadata.modified().ok();
    Ok(Stamp { modified, bytes: metadata.len(), inode: metadata.ino() })
}

fn too_large() -> io::Error {
    let limit = limits::STATIC_FILE_BYTES_MAX;
    io::Error::new(io::ErrorKind::FileTooLarge, format!("it is larger than {limit} bytes"))
}

fn unreadable(path: &Path, error: &io::Error) -> Fault {
    let known = [
        (io::ErrorKind::NotFound, "the file does not exist; create it, or correct the path"),
        (
            io::ErrorKind::PermissionDenied,
            "the agent's user may not read the file; change its owner or mode",
        ),
        (io::ErrorKind::InvalidData, "the file is not UTF-8 text"),
    ];
    let known = known.iter().find(|(kind, _)| *kind == error.kind());
    let message = match known {
        Some((_, message)) => (*message).to_owned(),
        None => format!("the file cannot be read: {error}"),
    };
    Fault { place: path.display().to_string(), position: None, field: String::new(), message }
}

#[cfg(test)]
mod tests;
