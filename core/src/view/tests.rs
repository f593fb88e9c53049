use super::show::Show;

#[test]
fn transcripts() {
    crate::transcript::check("view", || {
        let mut show = Show::default();
        move |line: &str| show.run(line)
    });
}
