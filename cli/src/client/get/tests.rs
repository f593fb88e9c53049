use expect_test::{Expect, expect};
use rialto_types::object::{Document, Kind};
use serde_json::{Value, json};

use super::{empty, rows};
use crate::print::{Format, Printer, Style};

fn document(kind: Kind, name: &str, spec: Value, status: Value) -> Document {
    let namespace = kind.is_namespaced().then_some("books");
    let value = json!({
        "apiVersion": kind.api_version(),
        "kind": kind,
        "metadata": { "name": name, "namespace": namespace },
        "spec": spec,
        "status": status,
    });
    serde_json::from_value(value).expect("a document")
}

fn printer(format: Format) -> Printer {
    let style = Style { colour: false };
    Printer { format, style, is_read_by_a_person: false, watched: false }
}

fn check(kind: Kind, format: Format, items: &[Document], expect: Expect) {
    expect.assert_eq(&rows(kind, items, &printer(format)).0);
}

fn service() -> Document {
    let endpoints = json!([{ "port": 9080, "healthy": 1, "total": 2, "ageMs": 900 }]);
    let status = json!({
        "dnsName": "reviews.books.svc.clusterset.local",
        "ports": [{ "name": "http", "port": 9080, "appProtocol": "http" }],
        "headless": false,
        "clusters": {
            "east": { "exported": true, "exportedBy": "bridge", "endpoints": endpoints },
            "vms": { "exported": true },
            "west": { "exported": false },
        },
        "virtualIps": { "east": ["246.0.0.7"] },
    });
    document(Kind::Service, "reviews", json!({}), status)
}

#[test]
fn services_show_who_has_them_and_what_is_unknown() {
    check(
        Kind::Service,
        Format::Table,
        &[service()],
        expect![[r#"
            NAMESPACE  NAME     PORTS           CLUSTERS         ENDPOINTS  CONFLICTS
            books      reviews  http:9080/http  east,vms,(west)  1/2?       0
        "#]],
    );
    check(
        Kind::Service,
        Format::Wide,
        &[service()],
        expect![[r#"
            NAMESPACE  NAME     PORTS           CLUSTERS         ENDPOINTS  CONFLICTS  DNS NAME                            VIRTUAL IPS
            books      reviews  http:9080/http  east,vms,(west)  1/2?       0          reviews.books.svc.clusterset.local  east=246.0.0.7
        "#]],
    );
    check(
        Kind::Service,
        Format::Name,
        &[service()],
        expect![[r#"
        books/reviews
    "#]],
    );
}

#[test]
fn routes_show_their_weights_rule_by_rule() {
    let spec = json!({
        "parentRefs": [{ "name": "reviews" }],
        "rules": [
            { "backendRefs": [{ "name": "v1", "weight": 90 }, { "name": "v3", "weight": 10 }] },
            { "backendRefs": [{ "name": "v2" }] },
        ],
    });
    check(
        Kind::HttpRoute,
        Format::Table,
        &[document(Kind::HttpRoute, "reviews", spec, Value::Null)],
        expect![[r#"
            NAMESPACE  NAME     PARENTS  RULES  BACKENDS           AGE
            books      reviews  reviews  2      v1=90,v3=10; v2=1  –
        "#]],
    );
}

#[test]
fn clusters_show_whether_they_are_heard() {
    let status = json!({
        "trustDomain": "east.rialto",
        "anchorFingerprint": null,
        "agent": { "state": "Silent", "ageMs": 134_000 },
        "gateways": [{ "id": "gw-1", "address": "10.0.0.1:7443" }],
        "subscribers": [],
        "services": 4,
        "exports": 2,
    });
    check(
        Kind::Cluster,
        Format::Table,
        &[document(Kind::Cluster, "east", json!({ "drained": true }), status)],
        expect![[r#"
            NAME  REGION  AGENT         GATEWAYS  SERVICES  EXPORTS  DRAINED  AGE
            east  –       Silent 2m14s  1         4         2        yes      –
        "#]],
    );
}

#[test]
fn every_kind_has_columns_and_a_next_step_when_empty() {
    for kind in Kind::ALL {
        let item = document(kind, "x", Value::Null, Value::Null);
        assert_eq!(rows(kind, &[item], &printer(Format::Wide)).0.lines().count(), 2, "{kind}");
        assert!(empty(kind, None).contains("`rialto "), "{kind}");
    }
}
