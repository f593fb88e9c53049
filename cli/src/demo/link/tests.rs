use super::*;

#[test]
fn a_frame_goes_to_the_site_of_its_link_layer_address() {
    let mut frame = vec![0; VNET_HEADER_BYTES];
    frame.extend([0x02, 0, 0, 0, 0x58, Site::West.number()]);
    assert_eq!(receiver(&frame), Some(2));
    assert!(mac(Site::West).ends_with(":02"));
    frame.truncate(12);
    assert_eq!(receiver(&frame), None);
}

#[test]
fn a_broadcast_goes_nowhere() {
    let frame = vec![0xff; VNET_HEADER_BYTES + 14];
    assert!(receiver(&frame).is_some_and(|to| to >= Site::ALL.len()));
}
