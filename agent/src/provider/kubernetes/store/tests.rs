use std::sync::LazyLock;

use proptest::collection::vec;
use proptest::prelude::*;
use rialto_types::limits;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::*;
use crate::config::Mode;
use crate::kubernetes::object::{Metadata, Watched};

fn namespace(name: &str) -> (ObjectKey, Namespace) {
    let metadata = Metadata { name: name.into(), ..Metadata::default() };
    (("".into(), name.into()), Namespace { metadata })
}

fn now() -> Instant {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    *START
}

/// One of the pods that may come and go.
fn home() -> Home {
    Home { namespace: "shop".into(), pod: "stock".into(), mode: Mode::Control }
}

fn list_all(store: &mut Store) {
    assert_eq!(store.handle(Update::Namespaces(Delta::All(HashMap::new()))), Outcome::Registry);
    assert_eq!(store.handle(Update::Services(Delta::All(HashMap::new()))), Outcome::Registry);
    assert_eq!(store.handle(Update::Slices(Delta::All(HashMap::new()))), Outcome::Registry);
    assert_eq!(store.handle(Update::Pods(Delta::All(HashMap::new()))), Outcome::Registry);
    assert!(store.registry(&home(), now()).is_none(), "a kind is missing");
    assert_eq!(store.handle(Update::Exports(Delta::All(HashMap::new()))), Outcome::Registry);
}

#[test]
fn there_is_no_registry_before_every_kind_was_listed() {
    let mut store = Store::default();
    let (key, object) = namespace("early");
    store.handle(Update::Namespaces(Delta::Put(key, object)));
    list_all(&mut store);
    let registry = store.registry(&home(), now()).expect("all listed").expect("no fault");
    assert_eq!(registry.namespaces.map(|known| known.len()), Some(0), "the list counts");
}

#[test]
fn changes_and_lists_replace_what_was_known() {
    let mut store = Store::default();
    list_all(&mut store);
    let names = |store: &mut Store| -> Vec<String> {
        let registry = store.registry(&home(), now()).expect("all listed").expect("no fault");
        registry.namespaces.into_iter().flatten().map(|name| name.to_string()).collect()
    };
    let (books, object) = namespace("books");
    store.handle(Update::Namespaces(Delta::Put(books.clone(), object)));
    let (shop, object) = namespace("shop");
    store.handle(Update::Namespaces(Delta::Put(shop, object)));
    assert_eq!(names(&mut store), ["books", "shop"]);
    store.handle(Update::Namespaces(Delta::Deleted(books)));
    assert_eq!(names(&mut store), ["shop"]);
    store.handle(Update::Namespaces(Delta::All([namespace("new")].into())));
    assert_eq!(names(&mut store), ["new"]);
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

#[derive(Debug, Clone, Copy)]
enum PodIs {
    Pending,
    Ready,
    /// Not ready, though its containers are.
    OnLostNode,
}

/// One object comes, is another one, or goes (no value).
#[derive(Debug, Clone)]
enum Step {
    Namespace(String, bool),
    Service(String, String, Option<u16>),
    /// The Service that it belongs to, and its endpoints, ready or not.
    Slice(String, String, Option<(String, Vec<(u8, bool)>)>),
    /// Its address and account, and how it is.
    Pod(String, String, Option<(u8, String, PodIs)>),
    Export(String, String, bool),
    /// Nothing new, but the registry is asked for.
    Look,
}

fn step() -> impl Strategy<Value = Step> {
    let namespace = || prop::sample::select(vec!["books".to_owned(), "shop".to_owned()]);
    let name = || prop::sample::select(vec!["cart".to_owned(), "stock".to_owned()]);
    let slice = prop::option::of((name(), vec((1..5_u8, any::<bool>()), 0..3)));
    let states = vec![PodIs::Pending, PodIs::Ready, PodIs::OnLostNode];
    let pod = prop::option::of((1..4_u8, name(), prop::sample::select(states)));
    prop_oneof![
        (namespace(), prop::bool::weighted(0.8)).prop_map(|(a, b)| Step::Namespace(a, b)),
        (namespace(), name(), prop::option::of(80..82_u16))
            .prop_map(|(a, b, c)| Step::Service(a, b, c)),
        (namespace(), name(), slice).prop_map(|(a, b, c)| Step::Slice(a, b, c)),
        (namespace(), name(), pod).prop_map(|(a, b, c)| Step::Pod(a, b, c)),
        (namespace(), name(), any::<bool>()).prop_map(|(a, b, c)| Step::Export(a, b, c)),
        Just(Step::Look),
    ]
}

/// All objects of one kind, as a list would have them.
type Listed<T> = HashMap<ObjectKey, T>;

fn change<T: DeserializeOwned + Watched + Clone>(
    listed: &mut Listed<T>,
    namespace: &str,
    name: &str,
    rest: Option<Value>,
) -> Delta<T> {
    let key: ObjectKey = (namespace.into(), name.into());
    let Some(mut object) = rest else {
        listed.remove(&key);
        return Delta::Deleted(key);
    };
    object["metadata"]["namespace"] = namespace.into();
    object["metadata"]["name"] = name.into();
    let object: T = serde_json::from_value(object).expect("an object");
    listed.insert(key.clone(), object.clone());
    Delta::Put(key, object)
}

#[derive(Default)]
struct Lists {
    namespaces: Listed<Namespace>,
    services: Listed<Service>,
    slices: Listed<EndpointSlice>,
    pods: Listed<Pod>,
    exports: Listed<ServiceExport>,
}

impl Lists {
    fn take(&mut self, step: &Step) -> Option<Update> {
        Some(match step {
            Step::Namespace(name, is_there) => {
                let object = is_there.then(|| json!({}));
                Update::Namespaces(change(&mut self.namespaces, "", name, object))
            }
            Step::Service(namespace, name, port) => {
                let object = port.map(|port| json!({ "spec": { "ports": [{ "port": port }] } }));
                Update::Services(change(&mut self.services, namespace, name, object))
            }
            Step::Slice(namespace, name, slice) => {
                let object = slice.as_ref().map(|(service, endpoints)| {
                    let endpoint = |(last, is_ready): &(u8, bool)| {
                        let conditions = json!({ "ready": is_ready });
                        json!({ "addresses": [format!("10.0.0.{last}")], "conditions": conditions })
                    };
                    let endpoints: Vec<Value> = endpoints.iter().map(endpoint).collect();
                    json!({
                        "metadata": { "labels": { "kubernetes.io/service-name": service } },
                        "endpoints": endpoints,
                        "ports": [{ "name": "", "port": 8080 }],
                    })
                });
                Update::Slices(change(&mut self.slices, namespace, name, object))
            }
            Step::Pod(namespace, name, pod) => {
                let object = pod.as_ref().map(|(last, account, state)| {
                    let (phase, containers, ready) = match state {
                        PodIs::Pending => ("Pending", "False", "False"),
                        PodIs::Ready => ("Running", "True", "True"),
                        PodIs::OnLostNode => ("Running", "True", "False"),
                    };
                    let address = json!({ "ip": format!("10.0.0.{last}") });
                    let conditions = json!([
                        { "type": "ContainersReady", "status": containers },
                        { "type": "Ready", "status": ready },
                    ]);
                    json!({
                        "spec": { "serviceAccountName": account },
                        "status": { "phase": phase, "podIPs": [address], "conditions": conditions },
                    })
                });
                Update::Pods(change(&mut self.pods, namespace, name, object))
            }
            Step::Export(namespace, name, is_there) => {
                let object = is_there.then(|| json!({}));
                Update::Exports(change(&mut self.exports, namespace, name, object))
            }
            Step::Look => return None,
        })
    }

    /// A store that knows nothing but these lists.
    fn store(self) -> Store {
        let mut store = Store::default();
        store.handle(Update::Namespaces(Delta::All(self.namespaces)));
        store.handle(Update::Services(Delta::All(self.services)));
        store.handle(Update::Slices(Delta::All(self.slices)));
        store.handle(Update::Pods(Delta::All(self.pods)));
        store.handle(Update::Exports(Delta::All(self.exports)));
        store
    }
}

proptest! {
    #[test]
    fn changes_lead_to_the_registry_that_a_list_would_give(steps in vec(step(), 0..60)) {
        let (mut store, mut lists) = (Store::default(), Lists::default());
        list_all(&mut store);
        for step in &steps {
            match lists.take(step) {
                Some(update) => drop(store.handle(update)),
                None => drop(store.registry(&home(), now())),
            }
        }
        // What was doubted on the way is not any more.
        let later = now() + 2 * limits::KUBERNETES_DOUBT;
        let listed = lists.store().registry(&home(), later);
        prop_assert_eq!(store.registry(&home(), later), listed);
    }
}
