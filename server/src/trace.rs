//! Traces of this server: spans under which a call or a run is logged with the trace that it belongs
//! to, here as at the other servers.
//!
//! The trace's id is a field of the span, so that it is in every line that is logged within. Where
//! the operator exports spans (OTLP), they are given the same trace.

use opentelemetry::trace::{
    SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState,
};
use proto::trace::Trace;
use tonic::Request;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::chance;

/// A new trace.
pub fn start() -> Trace {
    Trace::start(&mut chance::rng())
}

/// The trace that a call came with, or a new one: whoever calls may choose the id, and no more.
pub fn of<T>(request: &Request<T>) -> Trace {
    Trace::of(request).unwrap_or_else(start)
}

/// The span of a call.
pub fn call(trace: Trace, name: &'static str) -> Span {
    follow(tracing::info_span!("call", call = name, trace_id = %trace.id()), trace)
}

/// `span` in the trace, also where spans are exported.
pub fn follow(span: Span, trace: Trace) -> Span {
    let parent = SpanContext::new(
        TraceId::from_bytes(trace.id().0),
        SpanId::from_bytes(trace.span()),
        TraceFlags::SAMPLED,
        true,
        TraceState::NONE,
    );
    // An error says that nothing is exported.
    let _ = span.set_parent(opentelemetry::Context::new().with_remote_span_context(parent));
    span
}

/// The same trace, for calls that are made within `span`.
pub fn within(span: &Span, trace: Trace) -> Trace {
    let context = span.context();
    let exported = context.span().span_context().clone();
    match exported.is_valid() {
        true => trace.at(exported.span_id().to_bytes()),
        false => trace.step(&mut chance::rng()),
    }
}
