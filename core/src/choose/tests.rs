mod affinity;
mod properties;

use crate::transcript;
use crate::world::World;

#[test]
fn transcripts() {
    transcript::check("choose", || {
        let mut world = World::new();
        move |line| world.run(line)
    });
}
