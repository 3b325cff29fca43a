//! Bundles: what is read is what was written, damage is told from lies, and a download goes on only
//! behind bytes of servers that are asked.

use std::fs;

use mpc::{
    ids::{StudyId, SubmissionId},
    record::{self, End},
};

use super::{partial::Partial, *};

const STUDY: StudyId = StudyId([7; 32]);

/// The messages of a record with some submissions; the transcript's first message has more than
/// one frame.
fn messages(submissions: u8) -> Vec<(Section, Vec<u8>)> {
    let head = Head { study: STUDY, end: End::Published };
    let mut messages = vec![
        (Section::Head, head.encode()),
        (Section::Study, vec![1; 500]),
        (Section::Transcript, vec![2; MAX_FRAME + 77]),
        (Section::Transcript, vec![3; 5]),
        (Section::Published, vec![4; 90]),
    ];
    for id in 0..submissions {
        let mut message = vec![1, 2, 3];
        message.extend_from_slice(&STUDY.0);
        message.extend_from_slice(&[id; 16]);
        message.extend_from_slice(&[id; 300]);
        messages.push((Section::Submission, message));
    }
    messages
}

fn bytes(messages: &[(Section, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    messages.iter().for_each(|(section, message)| record::put(&mut bytes, *section, message));
    bytes
}

/// Takes the bytes behind what is whole, up to `until`.
fn receive(partial: &mut Partial, all: &[u8], until: usize) {
    let mut frames = partial.frames();
    let from = partial.len() as usize;
    // Whole frames, as a server sends them.
    let (mut end, mut at) = (from, from);
    while let Some(head) = all.get(at..at + FRAME_HEAD) {
        at += FRAME_HEAD + FrameHead::decode(head.try_into().unwrap()).unwrap().len;
        if at > until {
            break;
        }
        end = at;
    }
    assert!(partial.append("alpha", &mut frames, &all[from..end]).is_ok());
}

fn read(file: &Path) -> Result<Vec<(Section, Vec<u8>)>, BundleError> {
    let mut bundle = Bundle::open(file)?;
    let mut messages = vec![(Section::Head, bundle.head().encode())];
    let mut message = Vec::new();
    while let Some(section) = bundle.next(&mut message)? {
        messages.push((section, message.clone()));
    }
    Ok(messages)
}

#[test]
fn a_download_that_broke_off_anywhere_goes_on_behind_the_last_whole_message() {
    let dir = tempfile::tempdir().unwrap();
    let messages = messages(4);
    let all = bytes(&messages);
    let whole = dir.path().join("whole");
    let mut partial = Partial::open(&whole, STUDY).unwrap();
    receive(&mut partial, &all, all.len());
    partial.finish().unwrap();
    let expected = fs::read(&whole).unwrap();
    assert_eq!(read(&whole).unwrap(), messages);
    for until in [1, 60, 700, MAX_FRAME, MAX_FRAME + 700, all.len() - 400, all.len()] {
        let file = dir.path().join(until.to_string());
        let mut partial = Partial::open(&file, STUDY).unwrap();
        receive(&mut partial, &all, until);
        drop(partial);
        // What the process had written of a frame when it was killed.
        let part = dir.path().join(format!("{until}.part"));
        let mut torn = fs::read(&part).unwrap();
        torn.extend_from_slice(&all[torn.len()..(torn.len() + 3).min(all.len())]);
        fs::write(&part, torn).unwrap();
        let mut partial = Partial::open(&file, STUDY).unwrap();
        let held = messages.iter().scan(0, |sum, one| {
            *sum += bytes(std::slice::from_ref(one)).len();
            Some(*sum)
        });
        let held: Vec<usize> = held.take_while(|end| *end <= until).collect();
        assert_eq!(partial.len() as usize, held.last().copied().unwrap_or(0), "{until}");
        let last = messages.get(held.len().wrapping_sub(1));
        let cursor = partial.cursor();
        assert_eq!(cursor.map(|cursor| cursor.section), last.map(|last| last.0));
        if let Some(Section::Submission) = last.map(|last| last.0) {
            let id = SubmissionId([held.len() as u8 - 6; 16]);
            assert_eq!(cursor.unwrap().submission, Some(id));
        }
        receive(&mut partial, &all, all.len());
        partial.finish().unwrap();
        assert_eq!(fs::read(&file).unwrap(), expected, "{until}");
    }
}

#[test]
fn what_another_study_or_program_left_is_not_gone_on_with() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("x");
    let part = dir.path().join("x.part");
    for left in [b"something else".to_vec(), bytes(&messages(1))] {
        fs::write(&part, left).unwrap();
        fs::write(dir.path().join("x.part.from"), "alpha").unwrap();
        let partial = Partial::open(&file, StudyId([8; 32])).unwrap();
        assert_eq!((partial.len(), partial.cursor()), (0, None));
        assert!(matches!(Partial::open(&file, STUDY), Err(BundleError::InUse { .. })));
    }
}

#[test]
fn a_download_remembers_whose_bytes_it_has_and_goes_on_with_no_others() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("x");
    let all = bytes(&messages(2));
    let mut partial = Partial::open(&file, STUDY).unwrap();
    receive(&mut partial, &all, 700);
    drop(partial);
    let mut partial = Partial::open(&file, STUDY).unwrap();
    assert_eq!(partial.sources(), ["alpha"]);
    let (from, mut frames) = (partial.len() as usize, partial.frames());
    assert!(from > 0 && partial.append("beta", &mut frames, &all[from..]).is_ok());
    drop(partial);
    let mut partial = Partial::open(&file, STUDY).unwrap();
    assert_eq!(partial.sources(), ["alpha", "beta"]);
    partial.restart().unwrap();
    assert_eq!((partial.len(), partial.sources()), (0, &[][..]));
    receive(&mut partial, &all, 700);
    drop(partial);
    // Bytes of nobody knows whom.
    fs::remove_file(dir.path().join("x.part.from")).unwrap();
    let mut partial = Partial::open(&file, STUDY).unwrap();
    assert_eq!(partial.len(), 0);
    receive(&mut partial, &all, all.len());
    assert_eq!(partial.finish().unwrap(), ["alpha"]);
    assert!(!dir.path().join("x.part.from").exists());
}

#[test]
fn frames_that_cannot_follow_are_not_written() {
    let dir = tempfile::tempdir().unwrap();
    let mut partial = Partial::open(&dir.path().join("x"), STUDY).unwrap();
    receive(&mut partial, &bytes(&messages(1)), usize::MAX);
    let held = partial.len();
    let mut frames = partial.frames();
    for bad in [
        bytes(&[(Section::Transcript, vec![0])]),
        bytes(&[(Section::Sum, vec![0; 32])]),
        bytes(&[(Section::Submission, vec![0; 3])]),
        vec![Section::Submission as u8, 0, 0, 0, 9, 1],
        vec![99; 20],
    ] {
        assert!(partial.append("alpha", &mut frames, &bad).is_err());
        assert_eq!(partial.len(), held);
    }
}

#[test]
fn a_file_with_any_byte_changed_or_cut_short_is_told_from_a_whole_one() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("x");
    let mut partial = Partial::open(&file, STUDY).unwrap();
    let all = bytes(&messages(2));
    receive(&mut partial, &all, all.len());
    partial.finish().unwrap();
    let good = fs::read(&file).unwrap();
    let places = (0..700).chain((700..good.len() - 800).step_by(9973)).chain(good.len() - 800..);
    for place in places.take_while(|place| *place < good.len()) {
        let mut bad = good.clone();
        bad[place] ^= 1 << (place % 8);
        fs::write(&file, bad).unwrap();
        let error = read(&file).unwrap_err();
        assert_eq!(error.exit(), Exit::InvalidData, "byte {place}: {error}");
    }
    for len in [0, 4, 50, 700, good.len() / 2, good.len() - 37, good.len() - 1] {
        fs::write(&file, &good[..len]).unwrap();
        assert_eq!(read(&file).unwrap_err().exit(), Exit::InvalidData, "{len} bytes");
    }
    fs::write(&file, [&good[..], b"x"].concat()).unwrap();
    assert_eq!(read(&file).unwrap_err().exit(), Exit::InvalidData, "a byte too many");
}
