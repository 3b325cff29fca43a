//! No message without a decoder among the targets: held against the descriptors of all messages.

use std::collections::{BTreeMap, BTreeSet};

use decoders::{Row, TARGETS, answers, covered, requests};
use prost::Message as _;
use prost_types::{DescriptorProto, FileDescriptorSet};
use proto::v1;

use crate::seeds;

/// Every message, and the messages that its fields are.
struct Messages {
    fields: BTreeMap<String, Vec<String>>,
    /// What methods take and give.
    alone: BTreeSet<String>,
    empty: BTreeSet<String>,
}

fn name(path: &str) -> String {
    path.rsplit('.').next().unwrap().to_owned()
}

fn messages() -> Messages {
    let set = FileDescriptorSet::decode(v1::ALL_DESCRIPTORS).unwrap();
    let files = set.file.iter().filter(|file| file.package() == "sotto.v1");
    let mut messages =
        Messages { fields: BTreeMap::new(), alone: BTreeSet::new(), empty: BTreeSet::new() };
    for file in files {
        file.message_type.iter().for_each(|message| messages.add(message));
        for method in file.service.iter().flat_map(|service| &service.method) {
            messages.alone.extend([name(method.input_type()), name(method.output_type())]);
        }
    }
    messages
}

impl Messages {
    fn add(&mut self, message: &DescriptorProto) {
        let fields = message.field.iter().filter_map(|field| field.type_name.as_deref());
        self.fields.insert(message.name().to_owned(), fields.map(name).collect());
        if message.field.is_empty() {
            self.empty.insert(message.name().to_owned());
        }
        message.nested_type.iter().for_each(|nested| self.add(nested));
    }

    /// These, and everything that comes as a part of them.
    fn with_parts(&self, of: impl IntoIterator<Item = String>) -> BTreeSet<String> {
        let (mut found, mut next) = (BTreeSet::new(), of.into_iter().collect::<Vec<_>>());
        while let Some(message) = next.pop() {
            if found.insert(message.clone()) {
                next.extend(self.fields.get(&message).into_iter().flatten().cloned());
            }
        }
        found
    }
}

#[test]
fn every_message_is_read_and_written_by_a_target() {
    let all: BTreeSet<String> = messages().fields.into_keys().collect();
    assert!(all.len() >= 63 && all.contains("RingView") && all.contains("StartRequest"));
    let encoded: BTreeSet<String> = covered::encoded().into_iter().map(Into::into).collect();
    let missing: Vec<_> = all.difference(&encoded).collect();
    assert!(missing.is_empty(), "put them into fuzz/decoders/src/messages.rs: {missing:?}");
    assert_eq!(covered::encoded().len(), all.len(), "each of them once");
}

#[test]
fn every_message_has_a_target_for_what_it_means_or_a_reason_why_not() {
    let (messages, read) = (messages(), covered::read());
    let unread: BTreeMap<_, _> = covered::UNREAD.into();
    for (message, target) in &read {
        assert!(messages.fields.contains_key(*message), "{message}: there is no such message");
        assert!(TARGETS.iter().any(|known| known.name == *target), "{message}: {target}");
    }
    for (message, reason) in &unread {
        assert!(messages.fields.contains_key(*message), "{message}: there is no such message");
        assert!(!read.contains_key(message), "{message} is read: there is no reason to give");
        assert!(!messages.empty.contains(*message), "{message} is empty: nothing can be read");
        assert!(reason.len() > 20, "{message}: {reason:?} is no reason");
    }
    let needs_none =
        |message: &String| messages.empty.contains(message) || unread.contains_key(&**message);
    let remedy = "give it a decoder in fuzz/decoders/src/{requests,answers,ring}.rs, or a reason in covered.rs";
    for message in messages.alone.iter().filter(|message| !needs_none(message)) {
        assert!(read.contains_key(&**message), "{message} comes alone: {remedy}");
    }
    let reached = messages.with_parts(read.keys().map(|message| (*message).to_owned()));
    for message in messages.fields.keys().filter(|message| !needs_none(message)) {
        assert!(reached.contains(message), "{message}: {remedy}");
    }
}

/// A decoder that refuses everything would hold every property.
#[test]
fn every_decoder_of_requests_and_answers_takes_a_real_message() {
    let _alone = crate::alone();
    let seeds: BTreeMap<_, _> = seeds::all().into_iter().collect();
    for (target, rows) in [("requests", &requests::READ[..]), ("answers", &answers::READ[..])] {
        for (place, row) in rows.iter().enumerate() {
            let takes =
                |row: &Row, seed: &[u8]| usize::from(seed[0]) == place && row.takes(&seed[1..]);
            let is_taken = seeds[target].iter().any(|(_, seed)| takes(row, seed));
            assert!(is_taken, "{target}: no seed of {} that its decoder takes", row.name());
        }
    }
}
