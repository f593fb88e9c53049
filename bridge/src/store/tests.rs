use rialto_core::state::trust::Member;
use rialto_types::id::Timestamp;

use super::*;

#[test]
fn who_reads_a_copy_is_in_nobodys_way_and_sees_no_change() {
    let (store, mut machine) = Store::new();
    let copy = store.copy();
    let member = Member { raft_id: 7, name: "m".parse().expect("a name"), address: "a:1".into() };
    let command = Command {
        now: Timestamp::default(),
        actor: "test".into(),
        reason: None,
        action: Action::PutMember(member),
    };
    machine.apply(1, &command.encode());
    assert_eq!(store.read().members().count(), 1);
    assert_eq!(copy.members().count(), 0);
}
