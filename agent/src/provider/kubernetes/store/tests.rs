use super::*;
use crate::kubernetes::object::Metadata;

fn namespace(name: &str) -> (ObjectKey, Namespace) {
    let metadata = Metadata { name: name.into(), ..Metadata::default() };
    (("".into(), name.into()), Namespace { metadata })
}

fn list_all(store: &mut Store) {
    assert_eq!(store.handle(Update::Namespaces(Delta::All(HashMap::new()))), Outcome::Registry);
    assert_eq!(store.handle(Update::Services(Delta::All(HashMap::new()))), Outcome::Registry);
    assert_eq!(store.handle(Update::Slices(Delta::All(HashMap::new()))), Outcome::Registry);
    assert_eq!(store.handle(Update::Pods(Delta::All(HashMap::new()))), Outcome::Registry);
    assert!(store.registry("rialto", Mode::Observe).is_none(), "a kind is missing");
    assert_eq!(store.handle(Update::Exports(Delta::All(HashMap::new()))), Outcome::Registry);
}

#[test]
fn there_is_no_registry_before_every_kind_was_listed() {
    let mut store = Store::default();
    let (key, object) = namespace("early");
    store.handle(Update::Namespaces(Delta::Put(key, object)));
    list_all(&mut store);
    let registry = store.registry("rialto", Mode::Observe).expect("all listed").expect("no fault");
    assert_eq!(registry.namespaces.map(|known| known.len()), Some(0), "the list counts");
}

#[test]
fn changes_and_lists_replace_what_was_known() {
    let mut store = Store::default();
    list_all(&mut store);
    let names = |store: &Store| -> Vec<String> {
        let registry =
            store.registry("rialto", Mode::Observe).expect("all listed").expect("no fault");
        registry.namespaces.into_iter().flatten().map(|name| name.to_string()).collect()
    };
    let (books, object) = namespace("books");
    store.handle(Update::Namespaces(Delta::Put(books.clone(), object)));
    let (shop, object) = namespace("shop");
    store.handle(Update::Namespaces(Delta::Put(shop, object)));
    assert_eq!(names(&store), ["books", "shop"]);
    store.handle(Update::Namespaces(Delta::Deleted(books)));
    assert_eq!(names(&store), ["shop"]);
    store.handle(Update::Namespaces(Delta::All([namespace("new")].into())));
    assert_eq!(names(&store), ["new"]);
}

#[test]
fn trouble_is_told_once_and_ends_when_the_kind_is_watched_again() {
    let mut store = Store::default();
    list_all(&mut store);
    let trouble = || Update::Trouble { kind: "Pod", what: "it is gone".into() };
    assert_eq!(store.handle(trouble()), Outcome::Faults);
    assert_eq!(store.handle(trouble()), Outcome::Nothing);
    let faults: Vec<String> = store.faults().iter().map(ToString::to_string).collect();
    assert_eq!(faults, ["Kubernetes Pod: it is gone"]);
    assert_eq!(store.handle(Update::Watching("Service")), Outcome::Nothing);
    assert_eq!(store.handle(Update::Watching("Pod")), Outcome::Registry);
    assert!(store.faults().is_empty());
}
