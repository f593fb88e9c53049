use super::*;

const MS: Duration = Duration::from_millis(1);

fn line(shape: Shape) -> (Line<Vec<u8>>, Instant) {
    let now = Instant::now();
    (Line::new(shape, 7, now), now)
}

fn due(line: &mut Line<Vec<u8>>, now: Instant) -> Vec<u8> {
    std::iter::from_fn(|| line.poll_packet(now)).map(|packet| packet[0]).collect()
}

fn which_are_lost(seed: u64, loss_ppm: u32, count: u32) -> Vec<u32> {
    let now = Instant::now();
    let mut line = Line::new(Shape { loss_ppm, ..Shape::default() }, seed, now);
    (0..count).filter(|_| line.handle_packet(vec![0; 10], now).is_err()).collect()
}

#[test]
fn a_packet_arrives_after_the_delay_and_not_before() {
    let (mut line, start) = line(Shape::default());
    assert!(line.handle_packet(vec![1; 100], start).is_ok());
    assert_eq!(line.poll_timeout(), Some(start + 10 * MS));
    assert_eq!(due(&mut line, start + 9 * MS), [0; 0]);
    assert_eq!(due(&mut line, start + 10 * MS), [1]);
    assert_eq!(line.poll_timeout(), None);
}

#[test]
fn a_shorter_delay_does_not_overtake() {
    let (mut line, start) = line(Shape { delay: 100 * MS, ..Shape::default() });
    assert!(line.handle_packet(vec![1; 100], start).is_ok());
    line.reshape(Shape { delay: MS, ..Shape::default() });
    assert!(line.handle_packet(vec![2; 100], start).is_ok());
    assert_eq!(due(&mut line, start + 50 * MS), [0; 0]);
    assert_eq!(due(&mut line, start + 100 * MS), [1, 2]);
}

#[test]
fn a_rate_spaces_packets_out() {
    let shape = Shape { delay: 10 * MS, rate_bits_per_second: Some(800_000), loss_ppm: 0 };
    let (mut line, start) = line(shape);
    for packet in 1..=3 {
        assert!(line.handle_packet(vec![packet; 100], start).is_ok());
    }
    assert_eq!(due(&mut line, start + 11 * MS), [1]);
    assert_eq!(due(&mut line, start + 12 * MS), [2]);
    assert_eq!(due(&mut line, start + 13 * MS), [3]);
}

#[test]
fn a_full_queue_drops_the_newest_and_drains_at_the_rate() {
    let shape = Shape { delay: MS, rate_bits_per_second: Some(1_000_000), loss_ppm: 0 };
    let (mut line, start) = line(shape);
    let size = limits::LINK_QUEUE_BYTES_MAX / 4;
    for _ in 0..4 {
        assert!(line.handle_packet(vec![0; size], start).is_ok());
    }
    assert!(line.handle_packet(vec![0; size], start).is_err());
    assert_eq!(line.counters().overflowed, 1);
    let one_has_left = start + Duration::from_micros(size as u64 * 8);
    assert!(line.handle_packet(vec![0; size], one_has_left).is_ok());
}

#[test]
fn loss_is_the_same_for_the_same_seed_and_near_what_was_asked() {
    let first = which_are_lost(3, 5_000, 100_000);
    assert_eq!(first, which_are_lost(3, 5_000, 100_000));
    assert_ne!(first, which_are_lost(4, 5_000, 100_000));
    assert!((400..600).contains(&first.len()), "{} of 100,000 at 0.5 %", first.len());
}

#[test]
fn full_loss_is_a_cut_and_none_is_none() {
    assert_eq!(which_are_lost(1, 1_000_000, 1_000).len(), 1_000);
    assert_eq!(which_are_lost(1, 0, 1_000).len(), 0);
}
