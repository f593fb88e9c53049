use super::*;

fn answer(code: u8, records: &[(u16, &[u8])]) -> Vec<u8> {
    let mut message = question(7, "a.test");
    message[2] = 0x80;
    message[3] = code;
    message[7] = records.len() as u8;
    for (kind, data) in records {
        message.extend([0xc0, 12]);
        message.extend(kind.to_be_bytes());
        message.extend([0, 1, 0, 0, 0, 5]);
        message.extend((data.len() as u16).to_be_bytes());
        message.extend(*data);
    }
    message
}

#[test]
fn the_first_address_is_found_behind_an_alias() {
    let message = answer(0, &[(5, b"\x01b\x00"), (1, &[246, 0, 0, 7])]);
    assert_eq!(first_address(&message).ok(), Some(Ipv4Addr::new(246, 0, 0, 7)));
}

#[test]
fn no_such_name_and_no_such_record_are_told_apart() {
    assert!(matches!(first_address(&answer(3, &[])), Err(Error::Unknown(3))));
    assert!(matches!(first_address(&answer(0, &[])), Err(Error::Unknown(0))));
}

#[test]
fn every_cut_of_an_answer_is_an_error() {
    let message = answer(0, &[(1, &[246, 0, 0, 7])]);
    for size in 0..message.len() {
        assert!(first_address(&message[..size]).is_err(), "{size}");
    }
}

#[tokio::test]
async fn a_server_is_asked_and_believed() -> std::io::Result<()> {
    let server = UdpSocket::bind("127.0.0.1:0").await?;
    let address = server.local_addr()?;
    let serve = async {
        let mut buffer = [0; 512];
        let (_, client) = server.recv_from(&mut buffer).await?;
        let mut message = answer(0, &[(1, &[127, 241, 0, 1])]);
        message[..2].copy_from_slice(&buffer[..2]);
        server.send_to(&message, client).await
    };
    let (asked, served) = tokio::join!(resolve("a.test", Some(address)), serve);
    served?;
    assert_eq!(asked.ok(), Some(IpAddr::from([127, 241, 0, 1])));
    Ok(())
}
