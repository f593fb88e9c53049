use super::*;

fn whole(size: u64) -> Vec<u8> {
    Content::new(size).flatten().collect()
}

fn sum(pieces: &[&[u8]]) -> u64 {
    let mut checksum = Checksum::default();
    for piece in pieces {
        checksum.update(piece);
    }
    checksum.finish()
}

#[test]
fn content_has_the_size_asked_for_and_shorter_content_begins_longer() {
    for size in [0, 1, 7, 8, 9, 65_535, 65_536, 65_537, 200_001] {
        let content = whole(size);
        assert_eq!(content.len() as u64, size);
        assert!(whole(size + 100).starts_with(&content));
        assert_eq!(Checksum::of_content(size), sum(&[&content]), "{size}");
    }
}

#[test]
fn the_checksum_does_not_depend_on_how_the_bytes_come() {
    let content = whole(1_000);
    let at_once = sum(&[&content]);
    for cut in 0..40 {
        assert_eq!(sum(&[&content[..cut], &content[cut..cut + 3], &content[cut + 3..]]), at_once);
    }
}

#[test]
fn a_changed_missing_or_swapped_byte_is_seen() {
    let content = whole(100);
    let good = sum(&[&content]);
    for at in 0..content.len() {
        let mut changed = content.clone();
        changed[at] ^= 1;
        assert_ne!(sum(&[&changed]), good, "{at}");
    }
    assert_ne!(sum(&[&content[..99]]), good);
    assert_ne!(sum(&[&content[8..16], &content[..8], &content[16..]]), good);
    assert_ne!(sum(&[&[0; 7]]), sum(&[&[0; 8]]));
}
