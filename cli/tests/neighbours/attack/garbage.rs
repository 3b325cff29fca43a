//! Garbage: random bytes on every call that the descriptors list, so that a new one is covered by
//! itself.

use prost::Message as _;
use prost_types::{
    DescriptorProto, FileDescriptorSet,
    field_descriptor_proto::{Label, Type},
};
use rand::{Rng as _, RngExt as _, SeedableRng as _, rngs::StdRng};
use tokio::sync::Mutex;

use super::{
    Stage,
    messages::{expect, repeat},
};

/// Messages within messages are made up to this depth.
const DEPTH: u32 = 4;

/// Every call of every service, and the messages that it takes.
pub struct Interface {
    calls: Vec<(String, String)>,
    messages: Vec<(String, DescriptorProto)>,
}

impl Interface {
    /// What a server serves, besides what only others of its kind may call.
    pub fn new() -> Self {
        let sets = [
            proto::v1::DESCRIPTORS,
            tonic_health::pb::FILE_DESCRIPTOR_SET,
            tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
        ];
        let files = sets.map(|set| FileDescriptorSet::decode(set).unwrap().file);
        let (mut calls, mut messages) = (Vec::new(), Vec::new());
        for file in files.into_iter().flatten() {
            for service in &file.service {
                let calls_of = service.method.iter().map(|method| {
                    let path = format!("/{}.{}/{}", file.package(), service.name(), method.name());
                    (path, method.input_type().to_owned())
                });
                calls.extend(calls_of);
            }
            let package = format!(".{}", file.package());
            for message in file.message_type {
                gather(&package, message, &mut messages);
            }
        }
        Self { calls, messages }
    }

    /// The paths of all calls.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.calls.iter().map(|(path, _)| path.as_str())
    }

    /// A message whose fields are there or not, often more than once, and are anything.
    fn message(&self, name: &str, depth: u32, rng: &mut StdRng) -> Vec<u8> {
        let mut bytes = Vec::new();
        let Some((_, message)) = self.messages.iter().find(|(known, _)| known == name) else {
            return bytes;
        };
        for field in &message.field {
            let most = if field.label() == Label::Repeated { 20 } else { 2 };
            for _ in 0..rng.random_range(0..=most) {
                let number = u64::try_from(field.number()).unwrap() << 3;
                let mut put = |wire: u64, content: &[u8]| {
                    prost::encoding::encode_varint(number | wire, &mut bytes);
                    if wire == 2 {
                        prost::encoding::encode_varint(content.len() as u64, &mut bytes);
                    }
                    bytes.extend_from_slice(content);
                };
                match field.r#type() {
                    Type::Message if depth > 0 => {
                        put(2, &self.message(field.type_name(), depth - 1, rng));
                    }
                    Type::Message | Type::Bytes => put(2, &some_bytes(rng)),
                    Type::String => put(2, "ab\u{7f}\u{202e}".repeat(9).as_bytes()),
                    Type::Fixed64 | Type::Sfixed64 | Type::Double => {
                        put(1, &rng.random::<[u8; 8]>());
                    }
                    Type::Fixed32 | Type::Sfixed32 | Type::Float => {
                        put(5, &rng.random::<[u8; 4]>());
                    }
                    _ => {
                        let mut number = Vec::new();
                        let bits = rng.random_range(0..64);
                        prost::encoding::encode_varint(rng.random::<u64>() >> bits, &mut number);
                        put(0, &number);
                    }
                }
            }
        }
        bytes
    }
}

fn gather(scope: &str, message: DescriptorProto, all: &mut Vec<(String, DescriptorProto)>) {
    let name = format!("{scope}.{}", message.name());
    for inner in message.nested_type.clone() {
        gather(&name, inner, all);
    }
    all.push((name, message));
}

/// Bytes of the lengths that mean something somewhere, and of others.
fn some_bytes(rng: &mut StdRng) -> Vec<u8> {
    const LENGTHS: [usize; 9] = [0, 1, 16, 32, 64, 96, 288, 1_000, 20_000];
    let length = LENGTHS[rng.random_range(0..LENGTHS.len())] + usize::from(rng.random_ratio(1, 9));
    let mut bytes = vec![0; length];
    rng.fill_bytes(&mut bytes);
    bytes
}

/// Random bytes and random fields on every call, one after the other.
pub async fn everywhere(stage: &Stage) {
    let interface = Interface::new();
    let rng = Mutex::new(StdRng::seed_from_u64(6));
    repeat(stage, async |caller| {
        for (path, input) in &interface.calls {
            let (bytes, message) = {
                let mut rng = rng.lock().await;
                (some_bytes(&mut rng), interface.message(input, DEPTH, &mut rng))
            };
            // Streams that go on forever are not waited for.
            if path.ends_with("/Watch") {
                continue;
            }
            for message in [bytes, message] {
                expect(caller.call(path, &message).await, &ANSWERS);
                stage.step();
            }
        }
        Ok(())
    })
    .await;
}

/// All that a server may say to garbage: not that it does not know why it failed.
const ANSWERS: [tonic::Code; 11] = {
    use tonic::Code::*;
    [
        // Some calls need no message, and some garbage is one.
        Ok,
        // What tonic says when bytes are no message.
        Internal,
        InvalidArgument,
        NotFound,
        AlreadyExists,
        PermissionDenied,
        ResourceExhausted,
        FailedPrecondition,
        OutOfRange,
        Unauthenticated,
        Unimplemented,
    ]
};
