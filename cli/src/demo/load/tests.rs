use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

const GOOD: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

fn arguments(url: Url, count: u64, connections: Connections) -> Arguments {
    Arguments {
        url,
        count: Some(count),
        duration: Some(Duration::from_secs(30)),
        parallel: 1,
        rate: None,
        connections,
        vantage: Vantage::default(),
    }
}

/// Gives each connection the next of the answers, then closes it.
async fn served(answers: &'static [&'static str]) -> std::io::Result<Url> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    tokio::spawn(async move {
        for answer in answers {
            let Ok((mut stream, _)) = listener.accept().await else { return };
            let mut head = [0; 1_024];
            let _ = stream.read(&mut head).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    Ok(Url { host: "127.0.0.1".to_owned(), port, path: "/".to_owned() })
}

#[tokio::test]
async fn every_kind_of_end_is_counted_as_what_it_is() -> anyhow::Result<()> {
    let url = served(&[
        GOOD,
        "",
        "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok",
        "HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-checksum: 0\r\n\r\nok",
    ])
    .await?;
    let report = measure(arguments(url, 6, Connections::Fresh), pending()).await?;
    assert_eq!(report.good, 1);
    let kinds: Vec<_> = report.failed.iter().map(|(kind, count)| (kind.as_str(), *count)).collect();
    let expected =
        [("connect", 1), ("cut-short", 1), ("no-answer", 1), ("status-503", 1), ("wrong-bytes", 1)];
    assert_eq!(kinds, expected);
    Ok(())
}

#[tokio::test]
async fn an_interrupted_load_still_reports() -> anyhow::Result<()> {
    let url = served(&[GOOD]).await?;
    let report = measure(arguments(url, 100, Connections::Fresh), async {}).await?;
    assert!(report.good <= 1);
    Ok(())
}
