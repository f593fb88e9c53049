use super::*;

fn address(last: u8) -> IpAddr {
    IpAddr::from([10, 0, 0, last])
}

#[test]
fn an_address_stays_for_as_long_as_the_name_has_it() {
    let of = |last: &[u8]| last.iter().copied().map(address).collect::<BTreeSet<_>>();
    assert_eq!(pick(None, &of(&[])), None);
    assert_eq!(pick(None, &of(&[7, 3])), Some(address(3)));
    assert_eq!(pick(Some(address(7)), &of(&[3, 7])), Some(address(7)));
    assert_eq!(pick(Some(address(7)), &of(&[3, 4])), Some(address(3)));
    assert_eq!(pick(Some(address(7)), &of(&[])), Some(address(7)), "a resolver that is away");
}

#[tokio::test]
async fn a_name_is_looked_up_when_it_is_wanted_and_told_once() {
    let (want, wanted) = watch::channel(BTreeSet::new());
    let (updates, mut told) = mpsc::channel(4);
    let resolving = tokio::spawn(resolve(wanted, updates));
    want.send_replace(BTreeSet::from(["localhost".into()]));
    let Some(Update::Hosts(hosts)) = told.recv().await else { panic!("hosts are told") };
    assert!(hosts["localhost"].is_loopback(), "{hosts:?}");
    want.send_replace(BTreeSet::new());
    let Some(Update::Hosts(hosts)) = told.recv().await else { panic!("hosts are told") };
    assert!(hosts.is_empty(), "{hosts:?}");
    drop(want);
    resolving.await.expect("it ends with who wants");
}
