use super::*;

#[tokio::test]
async fn a_view_is_sent_when_it_changed_and_now_and_then() {
    let topic = Topic {
        name: "overview".into(),
        query: rialto_types::view::Query::Overview(Default::default()),
    };
    let mut followed = Followed { topic, sent: None };
    let start = Instant::now();
    assert!(followed.is_due(&Said::View(1), start), "at once");
    followed.sent = Some(Sent { said: Said::View(1), at: start });
    let soon = start + limits::LIVE_INTERVAL;
    assert!(!followed.is_due(&Said::View(1), soon), "no news");
    assert!(followed.is_due(&Said::View(2), soon), "news");
    let problem = Problem::new(Code::NotFound, "gone");
    assert!(followed.is_due(&Said::Problem(Box::new(problem.clone())), soon), "news, too");
    assert!(followed.is_due(&Said::View(1), start + limits::LIVE_REFRESH), "its ages are old");
    followed.sent = Some(Sent { said: Said::Problem(Box::new(problem.clone())), at: start });
    assert!(!followed.is_due(&Said::Problem(Box::new(problem)), soon));
}
