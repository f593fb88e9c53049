//! The history in lines, with what each change touches and how to take it back.

use std::collections::{BTreeMap, BTreeSet};

use rialto_types::api::{Change, HistoryEntry};
use rialto_types::command;
use rialto_types::error::{Code, Problem};
use rialto_types::id::{Revision, Timestamp};
use rialto_types::limits;
use rialto_types::object::{Document, Kind};
use rialto_types::view::Ref;
use rialto_types::view::changes::{ChangeLine, Changes, Query, Undo};
use serde_json::Value;

use crate::state::State;

/// A part of the history. `diff` makes the text of one object's change.
pub fn changes(
    state: &State,
    query: &Query,
    now: Timestamp,
    diff: impl Fn(&Change) -> String,
) -> Result<Changes, Problem> {
    let limit = query.limit.unwrap_or(limits::VIEW_CHANGES_DEFAULT);
    if !(1..=limits::VIEW_CHANGES_MAX).contains(&limit) {
        let problem = Problem::new(Code::BadQuery, format!("`limit` is {limit}"));
        let expected = format!("1 to {}", limits::VIEW_CHANGES_MAX);
        return Err(problem.with_field("limit").with_expected(expected));
    }
    let subject = query.subject.as_deref().map(parse_subject).transpose()?;
    let fits = |entry: &&HistoryEntry| {
        query.before.is_none_or(|before| entry.revision < before)
            && subject.as_ref().is_none_or(|subject| subjects(entry).contains(subject))
    };
    let mut entries = state.entries().filter(fits).take(limit + 1);
    let mut items = Vec::new();
    while items.len() < limit
        && let Some(entry) = entries.next()
    {
        let text: String = entry.changes.iter().map(&diff).collect();
        let diff = (!text.is_empty()).then(|| bounded(text));
        items.push(ChangeLine { diff, ..line(state, entry, now) });
    }
    let more = entries.next().is_some();
    let (oldest, revision) = (state.oldest_revision(), state.revision());
    Ok(Changes { items, more, oldest, revision })
}

/// The newest lines that `wanted` takes, without diffs.
pub(super) fn newest(
    state: &State,
    count: usize,
    now: Timestamp,
    wanted: impl Fn(&HistoryEntry) -> bool,
) -> Vec<ChangeLine> {
    let entries = state.entries().take(limits::VIEW_CHANGES_LOOK_BACK);
    let wanted = entries.filter(|entry| wanted(entry)).take(count);
    wanted.map(|entry| line(state, entry, now)).collect()
}

/// The newest line that touches each subject, if one does: each entry is looked at once.
pub(super) fn newest_of(
    state: &State,
    mut wanted: BTreeSet<&Ref>,
    now: Timestamp,
) -> BTreeMap<Ref, ChangeLine> {
    let mut found = BTreeMap::new();
    for entry in state.entries().take(limits::VIEW_CHANGES_LOOK_BACK) {
        if wanted.is_empty() {
            break;
        }
        for subject in subjects(entry) {
            if wanted.remove(&subject) {
                found.insert(subject, line(state, entry, now));
            }
        }
    }
    found
}

/// Whether somebody meant it: agents report on their own.
pub(super) fn is_by_people(entry: &HistoryEntry) -> bool {
    !entry.actor.starts_with("agent:") && !entry.actor.starts_with("member:")
}

pub(super) fn touches(entry: &HistoryEntry, subject: &Ref) -> bool {
    subjects(entry).contains(subject)
}

pub(super) fn line(state: &State, entry: &HistoryEntry, now: Timestamp) -> ChangeLine {
    let HistoryEntry { revision, time, actor, reason, summary, refused, .. } = entry;
    ChangeLine {
        revision: *revision,
        time: *time,
        age_ms: u64::try_from(time.age(now).as_millis()).unwrap_or(u64::MAX),
        actor: actor.clone(),
        reason: reason.clone(),
        summary: summary.clone(),
        refused: refused.clone(),
        subjects: subjects(entry).into_iter().take(limits::VIEW_SUBJECTS_MAX).collect(),
        diff: None,
        undo: undo(state, entry),
    }
}

/// To the revision before; absent where nothing changed that a revert sets back, or too long ago.
fn undo(state: &State, entry: &HistoryEntry) -> Option<Undo> {
    let is_revertible = entry.changes.iter().any(|change| State::is_revertible(&change.key));
    let to = Revision::new(entry.revision.epoch, entry.revision.index.checked_sub(1)?);
    let can_undo = entry.refused.is_none() && is_revertible && to >= state.oldest_revision();
    can_undo.then(|| Undo { to, command: command::revert(to, None) })
}

/// The objects that an entry is about, and the services that these name, in both their states.
pub(super) fn subjects(entry: &HistoryEntry) -> BTreeSet<Ref> {
    let mut subjects = BTreeSet::new();
    for change in &entry.changes {
        subjects.insert(Ref::from(&change.key));
        for document in change.before.iter().chain(&change.after) {
            name_services(document, change.key.kind, &mut subjects);
        }
    }
    subjects
}

fn name_services(document: &Document, kind: Kind, subjects: &mut BTreeSet<Ref>) {
    let Some(namespace) = &document.metadata.namespace else { return };
    let mut add = |name: &str| {
        let (kind, namespace) = (Kind::Service.to_string(), Some(namespace.clone()));
        subjects.insert(Ref { kind, namespace, name: name.into(), cluster: None });
    };
    if kind == Kind::ServiceExport {
        add(document.metadata.name.as_str());
        return;
    }
    let spec = &document.spec;
    let items = |value: &Value, field: &str| value[field].as_array().cloned().unwrap_or_default();
    let rules = items(spec, "rules");
    let backends = rules.iter().flat_map(|rule| items(rule, "backendRefs"));
    let named = items(spec, "parentRefs").into_iter().chain(items(spec, "targetRefs"));
    for reference in named.chain(backends) {
        if let Some(name) = reference["name"].as_str() {
            add(name);
        }
    }
}

fn parse_subject(text: &str) -> Result<Ref, Problem> {
    let parts: Vec<&str> = text.split('/').collect();
    let (kind, namespace, name) = match parts[..] {
        [kind, name] => (kind, None, name),
        [kind, namespace, name] => (kind, Some(namespace), name),
        _ => return Err(not_a_subject(text)),
    };
    let kind: Kind = kind.parse().map_err(|_| not_a_subject(text))?;
    let namespace = namespace.map(str::parse).transpose().map_err(|_| not_a_subject(text))?;
    Ok(Ref { kind: kind.to_string(), namespace, name: name.into(), cluster: None })
}

fn not_a_subject(text: &str) -> Problem {
    let shown: String = text.chars().take(limits::ERROR_TEXT_CHARS_MAX).collect();
    Problem::new(Code::BadQuery, format!("`{shown}` names no object"))
        .with_field("subject")
        .with_expected("`KIND/NAME` or `KIND/NAMESPACE/NAME`")
}

/// A diff that is too long for a page ends with a line that says so.
fn bounded(mut diff: String) -> String {
    if diff.len() <= limits::VIEW_DIFF_BYTES_MAX {
        return diff;
    }
    let end = (0..=limits::VIEW_DIFF_BYTES_MAX).rev().find(|at| diff.is_char_boundary(*at));
    diff.truncate(end.unwrap_or_default());
    let whole = diff.rfind('\n').map_or(0, |at| at + 1);
    diff.truncate(whole);
    diff.push_str("... the rest is too long to show: `rialto history REVISION` prints it\n");
    diff
}
