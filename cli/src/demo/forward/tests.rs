use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

#[tokio::test]
async fn a_dead_bridge_is_passed_over() -> std::io::Result<()> {
    let dead = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
    let alive = TcpListener::bind("127.0.0.1:0").await?;
    let bridges = vec![dead, alive.local_addr()?];
    let outside = TcpListener::bind("127.0.0.1:0").await?;
    let address = outside.local_addr()?;
    let forwarding = tokio::spawn(forward(outside, bridges));
    let mut client = TcpStream::connect(address).await?;
    client.write_all(b"ask").await?;
    let (mut bridge, _) = alive.accept().await?;
    let mut asked = [0; 3];
    bridge.read_exact(&mut asked).await?;
    bridge.write_all(b"answer").await?;
    drop(bridge);
    let mut answer = String::new();
    client.read_to_string(&mut answer).await?;
    assert_eq!((&asked, answer.as_str()), (b"ask", "answer"));
    forwarding.abort();
    Ok(())
}
