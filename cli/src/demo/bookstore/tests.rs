use tokio::sync::oneshot;

use super::*;

fn arguments(service: Service, version: &str) -> Arguments {
    let url = Url { host: "127.0.0.1".to_owned(), port: 1, path: "/".to_owned() };
    Arguments {
        service,
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        version: version.to_owned(),
        cluster: "east".to_owned(),
        instance: "one".to_owned(),
        vantage: Vantage::default(),
        details: url.clone(),
        reviews: url.clone(),
        ratings: url,
    }
}

async fn started(arguments: Arguments) -> std::io::Result<(Url, oneshot::Sender<()>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    let (end, ended) = oneshot::channel::<()>();
    tokio::spawn(serve(listener, arguments, async {
        let _ = ended.await;
    }));
    Ok((Url { host: "127.0.0.1".to_owned(), port, path: "/".to_owned() }, end))
}

async fn get(url: &Url, path: &str) -> Result<(u16, Option<String>, Bytes), Failure> {
    let url = Url { path: path.to_owned(), ..url.clone() };
    let response = Connection::open(&url, Vantage::default()).await?.get(&url, &[]).await?;
    let status = response.status().as_u16();
    let checksum = response.headers().get(CHECKSUM_HEADER);
    let checksum = checksum.and_then(|value| value.to_str().ok()).map(str::to_owned);
    let body = response.into_body().collect().await.map_err(|_| Failure::CutShort)?;
    Ok((status, checksum, body.to_bytes()))
}

#[tokio::test]
async fn reviews_tell_who_they_are_and_ask_ratings() -> anyhow::Result<()> {
    let (ratings, _ratings_end) = started(arguments(Service::Ratings, "v1")).await?;
    let asking = Arguments { ratings, ..arguments(Service::Reviews, "v2") };
    let (reviews, _reviews_end) = started(asking).await?;
    let (status, _, body) = get(&reviews, "/").await.map_err(|kind| anyhow::anyhow!("{kind:?}"))?;
    assert_eq!(status, 200);
    let told: Value = serde_json::from_slice(&body)?;
    assert_eq!(told["version"], "v2");
    assert_eq!(told["ratings"]["stars"], json!([5, 4]));
    Ok(())
}

#[tokio::test]
async fn a_page_without_its_parts_is_a_bad_gateway() -> anyhow::Result<()> {
    let (page, _end) = started(arguments(Service::Productpage, "v1")).await?;
    let (status, _, body) = get(&page, "/").await.map_err(|kind| anyhow::anyhow!("{kind:?}"))?;
    assert_eq!(status, 502);
    assert_eq!(serde_json::from_slice::<Value>(&body)?["details"]["failed"], "connect");
    Ok(())
}

#[tokio::test]
async fn bytes_come_with_their_checksum_and_a_bound() -> anyhow::Result<()> {
    let (details, _end) = started(arguments(Service::Details, "v1")).await?;
    let kind = |kind| anyhow::anyhow!("{kind:?}");
    let (status, checksum, body) = get(&details, "/bytes/100001").await.map_err(kind)?;
    assert_eq!((status, body.len()), (200, 100_001));
    let mut sum = Checksum::default();
    sum.update(&body);
    assert_eq!(checksum, Some(format!("{:016x}", sum.finish())));
    let (status, ..) = get(&details, "/bytes/99999999999999").await.map_err(kind)?;
    assert_eq!(status, 400);
    Ok(())
}

#[tokio::test]
async fn health_is_told_and_an_ended_server_listens_no_more() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    let url = Url { host: "127.0.0.1".to_owned(), port, path: "/".to_owned() };
    let (end, ended) = oneshot::channel::<()>();
    let server = tokio::spawn(serve(listener, arguments(Service::Ratings, "v1"), async {
        let _ = ended.await;
    }));
    let (status, ..) = get(&url, "/health").await.map_err(|kind| anyhow::anyhow!("{kind:?}"))?;
    assert_eq!(status, 200);
    drop(end);
    server.await?;
    assert_eq!(get(&url, "/health").await.err(), Some(Failure::Connect));
    Ok(())
}
