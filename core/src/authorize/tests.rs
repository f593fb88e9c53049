use crate::transcript;
use crate::world::World;

#[test]
fn transcripts() {
    transcript::check("authorize", || {
        let mut world = World::new();
        move |line| world.run(line)
    });
}
