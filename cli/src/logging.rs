//! Logs go to stderr, so that stdout holds data alone; a server's spans may go to a collector, too.

use std::{
    io::{self, IsTerminal as _},
    time::Duration,
};

use opentelemetry::{KeyValue, trace::TracerProvider as _};
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use tracing::Metadata;
use tracing_subscriber::{
    EnvFilter, Layer, filter::filter_fn, fmt, layer::SubscriberExt as _, registry,
    util::SubscriberInitExt as _,
};

/// How a command logs by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Logs {
    /// Warnings; a client's news are its progress.
    Client,
    /// Failures alone: servers that stop together warn of each other.
    Demonstration,
    /// What a cluster on one's own machine does.
    Development,
    /// What a production server does; JSON when a machine reads it.
    Server,
}

/// How long the collector may take to receive what is left when the server stops.
const FLUSH: Duration = Duration::from_secs(5);

/// Spans on their way to a collector.
pub struct Spans(Option<SdkTracerProvider>);

/// Starts logging. `SOTTO_LOG`, else `RUST_LOG`, overrides the level.
pub fn start(logs: Logs) {
    install(logs, None);
}

/// Starts logging for the server `name`, and exports its spans to `collector`, if there is one.
pub fn start_server(name: &str, collector: Option<&str>) -> Result<Spans, ExporterBuildError> {
    let provider = collector.map(|collector| exporting(name, collector)).transpose()?;
    install(Logs::Server, provider.as_ref());
    Ok(Spans(provider))
}

impl Spans {
    /// Sends what is left, for a few seconds.
    pub async fn end(self) {
        let Some(provider) = self.0 else { return };
        let flushed = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(FLUSH));
        if let Ok(Err(error)) = flushed.await {
            tracing::warn!(%error, "the last spans were not exported");
        }
    }
}

fn install(logs: Logs, spans: Option<&SdkTracerProvider>) {
    let default = match logs {
        Logs::Client => "warn",
        Logs::Demonstration => "error",
        Logs::Development | Logs::Server => "info",
    };
    let wish = ["SOTTO_LOG", "RUST_LOG"].into_iter().find_map(|name| std::env::var(name).ok());
    let filter = wish.filter(|wish| !wish.is_empty()).unwrap_or_else(|| default.into());
    let filter = EnvFilter::try_new(&filter).unwrap_or_else(|error| {
        eprintln!("warning: the log filter {filter:?} is not used: {error}");
        EnvFilter::new(default)
    });
    let terminal = io::stderr().is_terminal();
    let colour = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let lines = fmt::layer().with_writer(io::stderr).with_ansi(colour);
    let lines = match logs == Logs::Server && !terminal {
        true => lines.json().boxed(),
        false => lines.with_target(false).boxed(),
    };
    let spans = spans.map(|provider| {
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("sotto"));
        layer.with_filter(filter_fn(is_ours))
    });
    // Fails only when logging runs already.
    let _ = registry().with(lines).with(spans).with(filter).try_init();
}

/// The exporter's own connection has spans, too, and exporting them would never end.
fn is_ours(metadata: &Metadata<'_>) -> bool {
    metadata.target().starts_with("sotto")
}

fn exporting(name: &str, collector: &str) -> Result<SdkTracerProvider, ExporterBuildError> {
    let exporter = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(collector)
        .with_timeout(FLUSH)
        .build()?;
    let server = KeyValue::new("service.instance.id", name.to_owned());
    let resource = Resource::builder_empty()
        .with_service_name("sotto")
        .with_attributes([server, KeyValue::new("service.version", env!("CARGO_PKG_VERSION"))])
        .build();
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build())
}
