//! What every server offers beside the protocol: health, reflection, its own description.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on, stops")]

use proto::{
    codec::MAX_FIELDS,
    v1::{
        MeasureRequest, ProveRequest, audit_client::AuditClient, directory_client::DirectoryClient,
    },
};
use sotto_tests::World;
use tonic::Code;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};

#[tokio::test(flavor = "multi_thread")]
async fn health_is_serving_for_the_server_and_for_submissions() {
    let world = World::servers(2).await;
    for service in ["", "sotto.v1.Submissions"] {
        let mut health = HealthClient::new(world.channel(1).await);
        let request = HealthCheckRequest { service: service.into() };
        let answer = health.check(request).await.unwrap().into_inner();
        assert_eq!(answer.status(), ServingStatus::Serving, "{service:?}");
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_measurement_takes_half_a_mebibyte_and_counts_as_a_call() {
    let slow =
        |_, config: String| config.replace("calls_per_second = 100000", "calls_per_second = 8");
    let world = World::with_configs(2, slow).await;
    let mut directory = DirectoryClient::new(world.channel(1).await);
    let filler = |len: usize| MeasureRequest { filler: vec![7; len].into() };
    directory.measure(filler(proto::MAX_MEASURE)).await.unwrap();
    let more = directory.measure(filler(proto::MAX_MEASURE + 1)).await.unwrap_err();
    assert_eq!(more.code(), Code::InvalidArgument);
    let much = directory.measure(filler(2 * proto::MAX_MEASURE)).await.unwrap_err();
    assert_eq!(much.code(), Code::OutOfRange);
    let mut codes = Vec::new();
    for _ in 0..50 {
        codes.push(
            directory.measure(filler(1)).await.map_or_else(|refused| refused.code(), |_| Code::Ok),
        );
    }
    assert!(codes.contains(&Code::ResourceExhausted), "{codes:?}");
    world.end().await;
}

/// Each takes two bytes on the way and many in memory.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_very_many_fields_is_refused_before_it_is_read() {
    let world = World::servers(2).await;
    let mut audit = AuditClient::new(world.channel(0).await);
    let prove = |fields: usize| {
        let submission_ids = vec![Vec::new().into(); fields];
        ProveRequest { study_id: vec![1; 32].into(), submission_ids }
    };
    let many = audit.prove(prove(MAX_FIELDS)).await.unwrap_err();
    assert_eq!(many.code(), Code::InvalidArgument, "{many:?}");
    assert!(many.message().contains(&format!("more than {MAX_FIELDS} fields")), "{many:?}");
    let a_million = audit.prove(prove(1_000_000)).await.unwrap_err();
    assert_eq!(a_million.code(), Code::OutOfRange, "{a_million:?}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reflection_lists_all_services() {
    let world = World::servers(2).await;
    let mut reflection = ServerReflectionClient::new(world.channel(0).await);
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let answers = reflection.server_reflection_info(futures::stream::iter([request])).await;
    let answer = answers.unwrap().into_inner().message().await.unwrap().unwrap();
    let Some(MessageResponse::ListServicesResponse(list)) = answer.message_response else {
        panic!("{answer:?}");
    };
    let names: Vec<&str> = list.service.iter().map(|service| service.name.as_str()).collect();
    for name in ["Directory", "Studies", "Submissions", "Peers"] {
        assert!(names.contains(&format!("sotto.v1.{name}").as_str()), "{name}: {names:?}");
    }
    assert!(names.contains(&"grpc.health.v1.Health"), "{names:?}");
    world.end().await;
}
