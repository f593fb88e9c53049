use super::*;
use crate::testing::{name, packet, question, record};

fn key(number: usize) -> Key {
    Key {
        question: number.to_be_bytes().to_vec(),
        has_edns: false,
        dnssec_ok: false,
        checking_disabled: false,
    }
}

fn answer(code: u16, records: &[Vec<u8>], soa: Option<(u32, u32)>) -> Bytes {
    let question = question("example.com", 1, 1);
    let soa = soa.map(|(ttl, minimum)| {
        let data = [&name("ns")[..], &name("root"), &[0; 16], &minimum.to_be_bytes()].concat();
        record(&[0xc0, 12], 6, ttl, &data)
    });
    let counts = [1, u16::try_from(records.len()).expect("few"), u16::from(soa.is_some()), 0];
    let parts = [&question].into_iter().chain(records).chain(&soa).map(Vec::as_slice);
    Arc::new(packet(0x8180 | code, counts, &parts.collect::<Vec<_>>()))
}

fn address(ttl: u32) -> Vec<u8> {
    record(&[0xc0, 12], 1, ttl, &[192, 0, 2, 1])
}

#[test]
fn answers_live_as_long_as_they_say() {
    let start = Instant::now();
    for (what, answer, seconds) in [
        ("the least", answer(0, &[address(300), address(20)], None), Some(20)),
        ("at most an hour", answer(0, &[address(1_000_000)], None), Some(3_600)),
        ("not at all", answer(0, &[address(0)], None), None),
        ("no such name", answer(3, &[], Some((60, 9))), Some(9)),
        ("no such type", answer(0, &[], Some((8, 60))), Some(8)),
        ("negative at most a minute", answer(3, &[], Some((999, 999))), Some(60)),
        ("negative without SOA", answer(3, &[], None), None),
        ("failure", answer(2, &[], Some((60, 60))), None),
        ("refused", answer(5, &[], Some((60, 60))), None),
    ] {
        let mut cache = Cache::default();
        cache.insert(key(1), &answer, start);
        let after = |seconds: u64| start + Duration::from_secs(seconds);
        match seconds {
            None => assert_eq!(cache.get(&key(1), start), None, "{what}"),
            Some(seconds) => {
                assert!(cache.get(&key(1), after(seconds - 1)).is_some(), "{what}");
                assert_eq!(cache.get(&key(1), after(seconds)), None, "{what}");
            }
        }
        assert_eq!(cache.get(&key(2), start), None);
    }
}

#[test]
fn times_to_live_run_down() {
    let (mut cache, start) = (Cache::default(), Instant::now());
    cache.insert(key(1), &answer(0, &[address(300), address(20)], None), start);
    let bytes = cache.get(&key(1), start + Duration::from_secs(7)).expect("still good");
    let layout = packet::layout(&bytes).expect("whole");
    assert_eq!(layout.ttls.iter().map(|(_, ttl)| *ttl).collect::<Vec<_>>(), [293, 13]);
}

#[test]
fn the_cache_is_bounded_and_keeps_what_is_asked_for() {
    let (mut cache, start) = (Cache::default(), Instant::now());
    let answer = answer(0, &[address(300)], None);
    for number in 0..limits::DNS_CACHE_ENTRIES_MAX * 3 {
        cache.insert(key(number), &answer, start);
        assert!(cache.get(&key(0), start).is_some(), "{number}");
        assert!(cache.len() <= limits::DNS_CACHE_ENTRIES_MAX);
    }
    let long = record(&[0xc0, 12], 16, 300, &vec![0; limits::DNS_CACHE_ENTRY_BYTES_MAX]);
    cache.insert(key(usize::MAX), &self::answer(0, &[long], None), start);
    assert_eq!(cache.get(&key(usize::MAX), start), None);
}
