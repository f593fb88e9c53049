//! `get --watch`: the list, then each change; the connection may break.

use rialto_types::api::WatchEvent;
use rialto_types::id::{Namespace, Revision};
use rialto_types::limits;
use rialto_types::object::{Document, Key, Kind};
use rialto_wire::client::{Client, Events};

use super::rows;
use crate::failure::{Exit, Failure};
use crate::print::{self, Format, Printer};

struct Watch<'a> {
    kind: Kind,
    /// Only this object.
    key: Option<Key>,
    printer: &'a Printer,
    seen: Option<Revision>,
    /// The first objects, until all that exist have come.
    first: Option<Vec<Document>>,
}

pub(super) async fn run(
    client: &Client,
    kind: Kind,
    namespace: Option<Namespace>,
    key: Option<Key>,
    printer: &Printer,
) -> Result<Exit, Failure> {
    let namespace = namespace.or_else(|| key.as_ref().and_then(|key| key.namespace.clone()));
    let mut watch = Watch { kind, key, printer, seen: None, first: Some(Vec::new()) };
    let mut events = client.watch(kind, namespace.as_ref(), None).await?;
    loop {
        while let Some(event) = events.next().await {
            watch.event(event)?;
        }
        print::note("the watch broke off; connecting again");
        events = again(client, kind, namespace.as_ref(), &mut watch.seen).await?;
    }
}

/// Tries until the bridge is there; a refusal is final, but for a position that is gone.
async fn again(
    client: &Client,
    kind: Kind,
    namespace: Option<&Namespace>,
    seen: &mut Option<Revision>,
) -> Result<Events, Failure> {
    loop {
        tokio::time::sleep(limits::WATCH_RECONNECT_DELAY).await;
        match client.watch(kind, namespace, *seen).await.map_err(Failure::from) {
            Ok(events) => return Ok(events),
            Err(failure) if failure.exit == Exit::Unreachable => {}
            Err(failure) if failure.exit == Exit::NotFound && seen.is_some() => *seen = None,
            Err(failure) => return Err(failure),
        }
    }
}

impl Watch<'_> {
    fn event(&mut self, event: WatchEvent) -> Result<(), Failure> {
        match event {
            WatchEvent::Put(document) => {
                self.seen = self.seen.max(document.metadata.resource_version);
                if self.is_meant(&document) { self.put(*document) } else { Ok(()) }
            }
            WatchEvent::Delete(key) => {
                if self.key.as_ref().is_some_and(|meant| *meant != key) {
                    return Ok(());
                }
                match self.printer.format {
                    Format::Json | Format::Yaml => self.machine(&WatchEvent::Delete(key)),
                    Format::Table | Format::Wide | Format::Name => {
                        self.printer.data(&format!("{key} deleted\n"))
                    }
                }
            }
            WatchEvent::Bookmark(revision) => {
                self.seen = Some(revision);
                self.begin()
            }
            WatchEvent::Reset(_) => {
                print::note("too much changed meanwhile: what follows is everything");
                self.seen = None;
                Ok(())
            }
        }
    }

    fn is_meant(&self, document: &Document) -> bool {
        self.key.as_ref().is_none_or(|key| {
            key.name == document.metadata.name && key.namespace == document.metadata.namespace
        })
    }

    fn put(&mut self, document: Document) -> Result<(), Failure> {
        if matches!(self.printer.format, Format::Json | Format::Yaml) {
            return self.machine(&WatchEvent::Put(Box::new(document)));
        }
        match &mut self.first {
            Some(first) => {
                first.push(document);
                Ok(())
            }
            None => self.printer.data(&rows(self.kind, &[document], self.printer).1),
        }
    }

    /// One event a line, for programs.
    fn machine(&self, event: &WatchEvent) -> Result<(), Failure> {
        match self.printer.format {
            Format::Yaml => self.printer.data(&format!("---\n{}", print::yaml(event)?)),
            Format::Json | Format::Table | Format::Wide | Format::Name => {
                let line = serde_json::to_string(event).expect("events have text keys only");
                self.printer.data(&format!("{line}\n"))
            }
        }
    }

    /// Everything that exists has come: the table can be drawn.
    fn begin(&mut self) -> Result<(), Failure> {
        let Some(first) = self.first.take() else { return Ok(()) };
        if matches!(self.printer.format, Format::Json | Format::Yaml) {
            return Ok(());
        }
        if first.is_empty() {
            print::note(&format!("no {} yet; waiting for one", self.kind.plural()));
        }
        self.printer.data(&rows(self.kind, &first, self.printer).0)
    }
}
