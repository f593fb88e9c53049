//! The names that are ours, as the newest snapshot and local table say.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use rialto_core::answer::{self, Answer, Question};
use rialto_types::local::LocalTable;
use rialto_types::snapshot::Snapshot;

/// What answers are made from; replaced whole.
#[derive(Debug, Default)]
pub(crate) struct Names {
    snapshot: ArcSwapOption<Snapshot>,
    table: ArcSwapOption<LocalTable>,
}

impl Names {
    pub(crate) fn set_snapshot(&self, snapshot: Arc<Snapshot>) {
        self.snapshot.store(Some(snapshot));
    }

    pub(crate) fn set_table(&self, table: Arc<LocalTable>) {
        self.table.store(Some(table));
    }

    pub(crate) fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.snapshot.load_full()
    }

    pub(crate) fn table(&self) -> Option<Arc<LocalTable>> {
        self.table.load_full()
    }

    /// `None` for a name of ours before the first snapshot came: nothing is known, and "there is no
    /// such name" would be a lie that resolvers keep.
    pub(crate) fn answer(&self, question: &Question<'_>) -> Option<Answer> {
        let snapshot = self.snapshot.load();
        let Some(snapshot) = snapshot.as_deref() else {
            return (!answer::is_ours(question.name)).then_some(Answer::NotOurs);
        };
        let table = self.table.load();
        Some(answer::answer(snapshot, table.as_deref(), question, rand::random()))
    }
}
