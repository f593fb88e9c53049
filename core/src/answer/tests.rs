use proptest::prelude::*;

use crate::answer::{Answer, Kind, Question, answer, is_ours};
use crate::transcript;
use crate::world::World;

#[test]
fn transcripts() {
    transcript::check("answer", || {
        let mut world = World::new();
        move |line| world.run(line)
    });
}

proptest! {
    /// Any name, however odd, has an answer, and only those under our zone have ours.
    #[test]
    fn every_name_has_an_answer(
        labels in prop::collection::vec("([a-z0-9_-]{0,5}|svc|books|db|west|_tcp|é|%)", 0..7),
        ours: bool,
        draw: u64,
    ) {
        let world = World::of(
            "own east
             service books/db ports=sql:5432/tcp clusters=west headless
             headless books/db west 10.2.0.1 host=db",
        );
        let zone = if ours { "clusterset.local" } else { "cluster.local" };
        let name = labels.iter().map(|label| format!("{label}.")).collect::<String>() + zone;
        for kind in [Kind::A, Kind::Aaaa, Kind::Srv, Kind::Txt, Kind::Soa, Kind::Other] {
            let question = Question { name: &name, kind };
            let found = answer(&world.snapshot, Some(&world.table), &question, draw);
            prop_assert_eq!(found == Answer::NotOurs, !ours);
            prop_assert_eq!(is_ours(&name), ours);
        }
    }
}

#[test]
fn a_large_answer_is_bounded() {
    let mut lines = String::from(
        "own east\nservice books/db ports=sql:5432/tcp,web:80/http clusters=west headless\n",
    );
    for at in 0..1_000 {
        lines.push_str(&format!("headless books/db west 10.2.{}.{}\n", at / 250, at % 250));
    }
    let world = World::of(&lines);
    for (kind, expected) in [(Kind::A, 256), (Kind::Srv, 256)] {
        let question = Question { name: "db.books.svc.clusterset.local", kind };
        let found = answer(&world.snapshot, None, &question, 999);
        let Answer::Records { answers, .. } = found else { panic!("{found:?}") };
        assert_eq!(answers.len(), expected);
    }
}
