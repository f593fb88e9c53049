use std::time::Duration;

use super::*;

#[test]
fn a_view_is_named_as_in_its_path() {
    let services = services::Query { search: "a b".into(), limit: Some(5), ..Default::default() };
    let cases = [
        ("overview", view::Query::Overview(Default::default())),
        ("clusters", view::Query::Clusters(Default::default())),
        (
            "clusters/east",
            view::Query::Cluster("east".parse().expect("a name"), Default::default()),
        ),
        (
            "clusters?over=1m",
            view::Query::Clusters(clusters::Query { over: Some(Duration::from_secs(60)) }),
        ),
        ("services?search=a%20b&limit=5", view::Query::Services(services)),
        (
            "namespaces/books/services/reviews?cluster=east",
            view::Query::Service(
                "books/reviews".parse().expect("a name"),
                service::Query { cluster: Some("east".parse().expect("a name")), over: None },
            ),
        ),
        (
            "topology?group=none&workspace=-",
            view::Query::Topology(topology::Query {
                group: topology::Grouping::None,
                workspace: Some(view::WorkspaceFilter::None),
                ..Default::default()
            }),
        ),
        ("changes", view::Query::Changes(changes::Query::default())),
    ];
    for (text, expected) in cases {
        assert_eq!(parse(text).expect(text), expected);
    }
    let wrong = [
        "",
        "pods",
        "overview?x=1",
        "clusters/UPPER",
        "namespaces/a/services",
        "services?limit=x",
        "topology?group=all",
        "/overview",
        "clusters/a/b",
    ];
    for text in wrong {
        assert!(parse(text).is_err(), "{text}");
    }
}

fn rendered(json: &str) -> u64 {
    let rendered = Rendered { json: json.to_string().into(), fingerprint: OnceLock::new() };
    rendered.fingerprint()
}

#[test]
fn ages_alone_are_no_news() {
    let first =
        rendered(r#"{"a": [{"ageMs": 1, "x": 1}], "sinceMs": 4, "series": {"endAgeMs": 1}}"#);
    let later =
        rendered(r#"{"a": [{"ageMs": 9, "x": 1}], "sinceMs": 7, "series": {"endAgeMs": 2}}"#);
    assert_eq!(first, later);
    for other in [
        r#"{"a": [{"ageMs": 1, "x": 2}], "sinceMs": 4, "series": {"endAgeMs": 1}}"#,
        r#"{"a": [{"ageMs": 1, "x": 1}, null], "sinceMs": 4, "series": {"endAgeMs": 1}}"#,
        r#"{"a": [{"ageMs": 1}], "sinceMs": 4, "series": {"endAgeMs": 1}}"#,
    ] {
        assert_ne!(first, rendered(other), "{other}");
    }
}
