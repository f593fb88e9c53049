use proptest::prelude::*;

use super::*;

#[test]
fn chunks_are_written_from_the_front_and_keep_count() {
    let mut chunks = Chunks::default();
    chunks.push(Bytes::from_static(b"ab"));
    chunks.push(Bytes::new());
    chunks.push(Bytes::from_static(b"cdef"));
    assert_eq!(chunks.remaining(), 6);
    chunks.advance(3);
    assert_eq!((chunks.remaining(), chunks.chunk()), (3, &b"def"[..]));
    chunks.push_front(Bytes::from_static(b"x"));
    assert_eq!(chunks.pop().as_deref(), Some(&b"x"[..]));
    chunks.advance(3);
    assert!(chunks.is_empty() && !chunks.has_remaining());
}

#[test]
fn many_chunks_are_offered_to_one_call() {
    let mut chunks = Chunks::default();
    for _ in 0..3 {
        chunks.push(Bytes::from_static(b"ab"));
    }
    let mut slices = [IoSlice::new(&[]); 2];
    assert_eq!(chunks.chunks_vectored(&mut slices), 2);
    assert_eq!(&slices[1][..], b"ab");
}

/// What is done to a queue.
#[derive(Debug, Clone, Copy)]
enum Step {
    Push,
    PushFront,
    Pop,
    Advance(usize),
    Clear,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => Just(Step::Push),
        2 => Just(Step::PushFront),
        3 => Just(Step::Pop),
        2 => (0_usize..8).prop_map(Step::Advance),
        1 => Just(Step::Clear),
    ];
    proptest::collection::vec(step, 0..60)
}

proptest! {
    /// However many there are, in place or not, they are those of a plain queue.
    #[test]
    fn chunks_are_a_queue(steps in steps()) {
        let mut chunks = Chunks::default();
        let mut model = VecDeque::<Vec<u8>>::new();
        for (number, step) in (0_u8..).zip(steps) {
            let chunk = vec![number; 1 + usize::from(number % 3)];
            match step {
                Step::Push => {
                    chunks.push(Bytes::from(chunk.clone()));
                    model.push_back(chunk);
                }
                Step::PushFront => {
                    chunks.push_front(Bytes::from(chunk.clone()));
                    model.push_front(chunk);
                }
                Step::Pop => {
                    prop_assert_eq!(chunks.pop().map(|c| c.to_vec()), model.pop_front());
                }
                Step::Advance(count) => {
                    let count = count.min(model.iter().map(Vec::len).sum());
                    chunks.advance(count);
                    for _ in 0..count {
                        let front = model.front_mut().expect("counted");
                        front.remove(0);
                        if front.is_empty() {
                            model.pop_front();
                        }
                    }
                }
                Step::Clear => {
                    chunks.clear();
                    model.clear();
                }
            }
            let whole: Vec<u8> = model.iter().flatten().copied().collect();
            prop_assert_eq!(chunks.remaining(), whole.len());
            let mut slices = [IoSlice::new(&[]); 64];
            let count = chunks.chunks_vectored(&mut slices);
            prop_assert_eq!(count, model.len());
            let offered = slices[..count].iter().map(|slice| &slice[..]);
            prop_assert_eq!(&offered.collect::<Vec<_>>().concat(), &whole);
            let (first, rest) = chunks.parts();
            prop_assert_eq!([first.concat(), rest.concat()].concat(), whole);
        }
    }
}
