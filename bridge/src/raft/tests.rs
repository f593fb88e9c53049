use super::disk::Disk;
use super::member::{Failure, StartError};
use super::{Error, Event, MembershipError, Role, Start};
use cluster::{Cluster, id};

mod chaos;
pub(super) mod cluster;
mod thread;

#[test]
fn one_member_leads_at_once_and_answers() {
    let mut cluster = Cluster::new();
    cluster.start(1, Start::Bootstrap).expect("an empty disk");
    assert_eq!(cluster.status(1).role, Role::Leader);
    let mut answer = cluster.propose(1, "one");
    let applied = answer.try_recv().expect("an answer").expect("a leader");
    assert_eq!(applied.result, format!("one at {}", applied.index));
    let mut read = cluster.read(1);
    assert_eq!(read.try_recv().expect("an answer"), Ok(applied.index));
}

#[test]
fn learners_join_by_snapshot_and_are_promoted_through_a_joint_membership() {
    let cluster = Cluster::of_three();
    for member in [1, 2, 3] {
        assert_eq!(cluster.voters(member), [1, 2, 3], "as member {member} sees it");
        assert!(cluster.status(member).snapshot >= 1);
    }
    assert_eq!(cluster.status(2).role, Role::Follower);
}

#[test]
fn what_the_leader_answers_is_on_every_member() {
    let mut cluster = Cluster::of_three();
    let mut answers: Vec<_> =
        (0..20).map(|number| cluster.propose(1, &format!("w{number}"))).collect();
    cluster.tick(3);
    for answer in &mut answers {
        answer.try_recv().expect("an answer").expect("a leader");
    }
    assert_eq!(cluster.words(1).len(), 20);
    for member in [2, 3] {
        assert_eq!(cluster.words(member), cluster.words(1));
        assert_eq!(cluster.status(member).applied, cluster.status(1).applied);
    }
}

#[test]
fn a_batch_of_proposals_shares_one_flush() {
    let mut cluster = Cluster::of_three();
    let before = cluster.disks[&1].syncs();
    let mut answers = Vec::new();
    for number in 0..50 {
        let (reply, answer) = tokio::sync::oneshot::channel();
        cluster.event(1, Event::Propose { command: format!("w{number}").into(), reply });
        answers.push(answer);
    }
    cluster.settle(1);
    cluster.deliver();
    assert!(answers.iter_mut().all(|answer| answer.try_recv().is_ok_and(|end| end.is_ok())));
    assert_eq!(cluster.disks[&1].syncs() - before, 1);
}

#[test]
fn a_follower_names_the_leader() {
    let mut cluster = Cluster::of_three();
    let mut answer = cluster.propose(2, "lost");
    let refused = answer.try_recv().expect("an answer");
    assert_eq!(refused, Err(Error::NotLeader { leader: Some(id(1)) }));
    cluster.tick(20);
    assert!(cluster.words(1).is_empty(), "raft must not forward it behind our back");
}

#[test]
fn an_isolated_leader_steps_down_and_acknowledges_nothing() {
    let mut cluster = Cluster::of_three();
    cluster.isolate(1);
    let mut lost = cluster.propose(1, "lost");
    let mut stale = cluster.read(1);
    let term = cluster.status(1).term;
    cluster.tick(40);
    let leader = cluster.leader();
    assert_ne!(leader, 1);
    assert_ne!(cluster.status(1).role, Role::Leader);
    assert!(lost.try_recv().is_err() && stale.try_recv().is_err());
    let mut kept = cluster.propose(leader, "kept");
    kept.try_recv().expect("an answer").expect("a leader with a majority");

    cluster.heal();
    cluster.tick(10);
    assert_eq!(cluster.words(1), ["kept"]);
    let ended = lost.try_recv().expect("an answer once the place is taken");
    assert_eq!(ended, Err(Error::NotLeader { leader: Some(id(leader)) }));
    let read = stale.try_recv().expect("the retry finds the new leader");
    assert!(read.is_ok(), "{read:?}");
    assert_eq!(cluster.status(3).term, term + 1, "one election, one term");
}

#[test]
fn an_isolated_follower_comes_back_without_disturbing_anyone() {
    let mut cluster = Cluster::of_three();
    let term = cluster.status(1).term;
    cluster.isolate(3);
    cluster.tick(200);
    cluster.propose(1, "meanwhile");
    cluster.heal();
    cluster.tick(30);
    assert_eq!((cluster.leader(), cluster.status(1).term), (1, term));
    assert_eq!(cluster.status(3).term, term);
    assert_eq!(cluster.words(3), ["meanwhile"]);
}

#[test]
fn a_follower_reads_what_was_acknowledged_before() {
    let mut cluster = Cluster::of_three();
    let mut answer = cluster.propose(1, "seen");
    let written = answer.try_recv().expect("an answer").expect("a leader").index;
    let mut read = cluster.read(3);
    cluster.tick(1);
    let index = read.try_recv().expect("an answer").expect("a follower with a leader");
    assert!(index >= written);
    assert_eq!(cluster.words(3), ["seen"]);
}

#[test]
fn a_follower_restarts_from_its_disk_and_catches_up() {
    let mut cluster = Cluster::of_three();
    cluster.propose(1, "before");
    cluster.tick(3);
    cluster.kill(3);
    cluster.propose(1, "meanwhile");
    cluster.start(3, Start::Resume).expect("its own disk");
    assert_eq!(cluster.words(3), ["before"]);
    cluster.tick(5);
    assert_eq!(cluster.words(3), ["before", "meanwhile"]);
}

#[test]
fn all_members_die_and_everything_acknowledged_is_there() {
    let mut cluster = Cluster::of_three();
    for number in 0..30 {
        let mut answer = cluster.propose(1, &format!("w{number}"));
        answer.try_recv().expect("an answer").expect("a leader");
    }
    let expected = cluster.words(1);
    for member in [1, 2, 3] {
        cluster.kill(member);
        cluster.disks[&member].crash(|_| false);
    }
    for member in [1, 2, 3] {
        cluster.start(member, Start::Resume).expect("its own disk");
    }
    cluster.tick(60);
    for member in [1, 2, 3] {
        assert_eq!(cluster.words(member), expected);
        assert_eq!(cluster.voters(member), [1, 2, 3]);
    }
}

#[test]
fn a_member_that_was_away_too_long_gets_a_snapshot() {
    let mut cluster = Cluster::of_three();
    cluster.kill(3);
    cluster.kill(2);
    cluster.kill(1);
    cluster.snapshot_interval = 50;
    cluster.start(1, Start::Resume).expect("its own disk");
    cluster.start(2, Start::Resume).expect("its own disk");
    cluster.tick(40);
    for number in 0..2_200 {
        cluster.propose(1, &format!("w{number}"));
    }
    let files = cluster.disks[&1].names();
    let snapshots = files.iter().filter(|name| name.starts_with("snapshot-")).count();
    assert_eq!(snapshots, 2, "{files:?}");
    cluster.start(3, Start::Resume).expect("its own disk");
    cluster.tick(20);
    assert_eq!(cluster.words(3), cluster.words(1));
    assert!(cluster.status(3).snapshot > 2_000);
    // And it starts again from what it was sent.
    cluster.kill(3);
    cluster.start(3, Start::Resume).expect("its own disk");
    cluster.tick(5);
    assert_eq!(cluster.words(3), cluster.words(1));
}

#[test]
fn a_snapshot_that_did_not_arrive_is_sent_again() {
    let mut cluster = Cluster::new();
    cluster.start(1, Start::Bootstrap).expect("an empty disk");
    cluster.start(2, Start::Join).expect("an empty disk");
    cluster.propose(1, "word");
    cluster.add_learner(1, 2);
    cluster.isolate(2);
    cluster.tick(5);
    assert_eq!(cluster.status(2).applied, 0);
    cluster.heal();
    cluster.tick(10);
    assert_eq!(cluster.words(2), ["word"]);
}

#[test]
fn members_change_one_step_at_a_time() {
    let mut cluster = Cluster::new();
    cluster.start(1, Start::Bootstrap).expect("an empty disk");
    let mut added = cluster.add_learner(1, 2);
    added.try_recv().expect("an answer").expect("a new learner");
    let check = |mut answer: cluster::Answer<Result<u64, MembershipError>>, expected| {
        assert_eq!(answer.try_recv().expect("an answer"), Err(expected));
    };
    check(cluster.add_learner(1, 2), MembershipError::AlreadyMember(id(2)));
    check(cluster.promote(1, &[9]), MembershipError::NotLearner(id(9)));
    let behind = cluster.status(1).commit;
    check(cluster.promote(1, &[2]), MembershipError::Behind { member: id(2), entries: behind });
}

#[test]
fn a_leader_that_dies_in_a_joint_membership_leaves_it_to_the_next() {
    let mut cluster = Cluster::of_three();
    for learner in [4, 5] {
        cluster.start(learner, Start::Join).expect("an empty disk");
        cluster.add_learner(1, learner);
        cluster.tick(5);
    }
    let (reply, _answer) = tokio::sync::oneshot::channel();
    cluster.event(1, Event::Promote { members: vec![id(4), id(5)], reply });
    cluster.settle(1);
    cluster.deliver();
    cluster.kill(1);
    cluster.tick(60);
    assert_eq!(cluster.voters(cluster.leader()), [1, 2, 3, 4, 5]);
    let leader = cluster.leader();
    let mut answer = cluster.propose(leader, "after");
    answer.try_recv().expect("an answer").expect("a leader");
    cluster.tick(3);
    assert_eq!(cluster.words(5), ["after"]);
}

#[test]
fn a_failed_flush_ends_the_member_unanswered() {
    let mut cluster = Cluster::of_three();
    cluster.disks[&1].fail_syncs();
    let mut answer = cluster.propose(1, "lost");
    assert!(answer.try_recv().is_err());
    let failure = &cluster.failures[&1];
    assert!(matches!(failure, Failure::Log(super::log::Error::Io { action: "flush", .. })));
    cluster.tick(40);
    assert_ne!(cluster.leader(), 1);
}

#[test]
fn damage_is_refused_with_file_and_offset() {
    let mut cluster = Cluster::of_three();
    cluster.propose(1, "word");
    cluster.tick(3);
    for member in [2, 3] {
        cluster.kill(member);
    }
    for (member, prefix) in [(2, "log-"), (3, "snapshot-")] {
        let disk = cluster.disks[&member].clone();
        let names = disk.names();
        let name = names.iter().rfind(|name| name.starts_with(prefix)).expect("such a file");
        let mut bytes = disk.content(name);
        let at = 560.min(bytes.len() / 2);
        bytes[at] ^= 4;
        disk.replace(name, bytes);
        let refused = cluster.start(member, Start::Resume).expect_err("damage");
        let text = format!("{:#}", anyhow::Error::from(refused));
        assert!(text.contains(name.as_str()) && text.contains("byte"), "{text}");
        assert!(text.contains("join again as a new member"), "{text}");
    }
}

#[test]
fn a_folder_is_for_one_member() {
    let mut cluster = Cluster::of_three();
    cluster.kill(2);
    let disk = cluster.disks[&2].clone();
    cluster.disks.insert(4, disk);
    let refused = cluster.start(4, Start::Resume);
    assert!(matches!(refused, Err(StartError::OtherMember { found: 2, .. })));
    cluster.disks.remove(&2);
    assert!(matches!(cluster.start(2, Start::Resume), Err(StartError::DataLost(_))));
    let mut half = cluster.disks[&4].clone();
    for name in half.names().iter().filter(|name| name.starts_with("log-")) {
        half.remove(name).expect("a file just listed");
    }
    assert!(matches!(cluster.start(4, Start::Join), Err(StartError::LogLost)));
}

#[test]
fn a_member_that_lost_its_data_stops_before_it_can_do_harm() {
    // While the leader that knows better lives, and after it is gone.
    for leader_dies in [false, true] {
        let mut cluster = Cluster::of_three();
        cluster.propose(1, "word");
        cluster.tick(3);
        cluster.kill(3);
        cluster.disks.remove(&3);
        if leader_dies {
            cluster.kill(1);
        }
        cluster.start(3, Start::Join).expect("an empty disk, as a new member has");
        cluster.tick(60);
        if leader_dies {
            // Its vote would have made member 2 leader; the data it lost would not be missed.
            assert_ne!(cluster.status(2).role, Role::Leader);
            cluster.start(1, Start::Resume).expect("its own disk");
            cluster.tick(60);
        }
        let failure = cluster.failures.get(&3).expect("a member that stopped");
        assert!(failure.to_string().contains("join again as a new member"), "{failure}");
        let leader = cluster.leader();
        let mut answer = cluster.propose(leader, "goes on");
        answer.try_recv().expect("an answer").expect("a majority without it");
    }
}

#[test]
fn hostile_messages_are_dropped() {
    let mut cluster = Cluster::of_three();
    let now = cluster.status(1);
    for message in [&b""[..], b"\xff\xff\xff", b"\x08\x0f", &[0x0b; 100_000]] {
        let message = bytes::Bytes::copy_from_slice(message);
        cluster.event(1, Event::Message { from: id(2), message: message.clone() });
        cluster.event(1, Event::Message { from: id(77), message });
        cluster.settle(1);
    }
    assert!(cluster.failures.is_empty());
    assert_eq!(cluster.status(1).term, now.term);
}
