use crate::transcript;
use crate::world::World;

#[test]
fn transcripts() {
    transcript::check("explain", || {
        let mut world = World::new();
        move |line| world.run(line)
    });
}
