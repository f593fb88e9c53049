//! The list of services: search, filters, order, pages.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use rialto_types::error::{Code, Problem};
use rialto_types::id::{ClusterName, ResourceName, ServiceName};
use rialto_types::limits;
use rialto_types::view::services::{Facet, Facets, Query, ServiceRow, Services, Sort};
use rialto_types::view::{Proportions, WorkspaceFilter};

use super::level::urgency;
use super::picture::Picture;
use super::text::has_words;

impl Picture {
    pub fn services(&self, query: &Query) -> Result<Services, Problem> {
        let limit = query.limit.unwrap_or(limits::REST_PAGE_DEFAULT);
        if !(1..=limits::REST_PAGE_MAX).contains(&limit) {
            let problem = Problem::new(Code::BadQuery, format!("`limit` is {limit}"));
            let expected = format!("1 to {}", limits::REST_PAGE_MAX);
            return Err(problem.with_field("limit").with_expected(expected));
        }
        check_search(&query.search)?;
        let picture = self.over(query.over)?;
        let found: Vec<&ServiceRow> =
            picture.rows.values().filter(|row| finds(row, &query.search)).collect();
        let facets = facets(&found, query);
        let mut fitting = found;
        fitting.retain(|row| fits_cluster(row, query) && fits_workspace(row, query));
        fitting.retain(|row| fits_level(row, query));
        sort(&mut fitting, query.sort);
        let start = match &query.continue_token {
            None => 0,
            Some(token) => place_after(&fitting, token)?,
        };
        let end = fitting.len().min(start + limit);
        let items: Vec<ServiceRow> = fitting[start..end].iter().map(|row| (*row).clone()).collect();
        let last = items.last().filter(|_| end < fitting.len());
        Ok(Services {
            continue_token: last.map(|row| name(row).to_string()),
            total: count(self.rows.len()),
            matched: count(fitting.len()),
            items,
            facets,
            over_ms: picture.figures.over_ms(),
            revision: self.revision(),
            gaps: self.gaps(),
        })
    }
}

/// A search is compared with every service.
pub(super) fn check_search(search: &str) -> Result<(), Problem> {
    if search.len() <= limits::VIEW_SEARCH_BYTES_MAX {
        return Ok(());
    }
    let problem = Problem::new(Code::BadQuery, format!("`search` has {} bytes", search.len()));
    let expected = format!("at most {}", limits::VIEW_SEARCH_BYTES_MAX);
    Err(problem.with_field("search").with_expected(expected))
}

pub(super) fn finds(row: &ServiceRow, search: &str) -> bool {
    if search.is_empty() {
        return true;
    }
    let mut text = format!("{}/{}", row.namespace, row.name);
    let workspace = row.workspace.iter().map(ResourceName::as_str);
    for word in workspace.chain(row.clusters.iter().map(|cell| cell.name.as_str())) {
        text.push(' ');
        text.push_str(word);
    }
    has_words(&text, search)
}

fn fits_cluster(row: &ServiceRow, query: &Query) -> bool {
    let has = |cluster: &ClusterName| row.clusters.iter().any(|cell| cell.name == *cluster);
    query.cluster.as_ref().is_none_or(has)
}

fn fits_workspace(row: &ServiceRow, query: &Query) -> bool {
    query.workspace.as_ref().is_none_or(|filter| filter.fits(row.workspace.as_ref()))
}

fn fits_level(row: &ServiceRow, query: &Query) -> bool {
    query.health.is_none_or(|level| row.level == level)
}

/// Each facet leaves its own filter out, so that it says what choosing another would bring.
fn facets(found: &[&ServiceRow], query: &Query) -> Facets {
    let (mut clusters, mut workspaces) = (BTreeMap::new(), BTreeMap::new());
    let mut levels = Proportions::default();
    for row in found {
        let cluster = fits_cluster(row, query);
        let workspace = fits_workspace(row, query);
        let level = fits_level(row, query);
        if workspace && level {
            for cell in &row.clusters {
                *clusters.entry(cell.name.to_string()).or_insert(0) += 1;
            }
        }
        if cluster && level {
            let filter =
                row.workspace.clone().map_or(WorkspaceFilter::None, WorkspaceFilter::Named);
            *workspaces.entry(String::from(filter)).or_insert(0) += 1;
        }
        if cluster && workspace {
            levels.add(row.level);
        }
    }
    let listed = |counts: BTreeMap<String, u32>| {
        counts.into_iter().map(|(name, count)| Facet { name, count }).collect()
    };
    Facets { clusters: listed(clusters), workspaces: listed(workspaces), levels }
}

/// Rows come in the order of names, which stays among equals.
fn sort(rows: &mut [&ServiceRow], by: Sort) {
    match by {
        Sort::Name => {}
        Sort::Errors => rows.sort_by(|a, b| most(errors(a), errors(b))),
        Sort::Requests => rows.sort_by(|a, b| most(requests(a), requests(b))),
        Sort::Health => rows.sort_by_key(|row| std::cmp::Reverse(urgency(row.level))),
    }
}

fn errors(row: &ServiceRow) -> Option<f64> {
    row.rates.as_ref().map(|rates| rates.errors_per_second)
}

fn requests(row: &ServiceRow) -> Option<f64> {
    row.rates.as_ref().map(|rates| rates.requests_per_second)
}

/// The most first, the unknown last.
pub(super) fn most(a: Option<f64>, b: Option<f64>) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => b.total_cmp(&a),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    }
}

fn place_after(rows: &[&ServiceRow], token: &str) -> Result<usize, Problem> {
    let last: Option<ServiceName> = token.parse().ok();
    let place = last.and_then(|last| rows.iter().position(|row| name(row) == last));
    place.map(|place| place + 1).ok_or_else(|| {
        Problem::new(Code::BadQuery, "`continue` is not from a page of this list, or it is gone")
            .with_field("continue")
            .with_hint("start again without it")
    })
}

pub(super) fn name(row: &ServiceRow) -> ServiceName {
    ServiceName::new(row.namespace.clone(), row.name.clone())
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
