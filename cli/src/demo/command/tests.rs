use super::*;
use crate::demo::FORKS;

#[tokio::test]
async fn commands_are_answered_and_nonsense_is_refused() -> anyhow::Result<()> {
    let _alone = FORKS.lock().await;
    let folder = tempfile::tempdir()?;
    let mut supervisor = Supervisor::new("/nowhere".into(), folder.path(), None)?;
    for (asked, expected) in [
        ("\"Ps\"\n", "NAME"),
        (r#"{"Kill":{"name":"x"}}"#, "no process `x`"),
        ("nonsense\n", "could not be read"),
    ] {
        let (client, server) = UnixStream::pair()?;
        let mut client = BufStream::new(client);
        client.write_all(asked.trim_end().as_bytes()).await?;
        client.write_all(b"\n").await?;
        client.flush().await?;
        answer(BufStream::new(server), &mut supervisor).await?;
        let mut line = String::new();
        client.read_line(&mut line).await?;
        assert!(line.contains(expected), "{asked}: {line}");
    }
    Ok(())
}
