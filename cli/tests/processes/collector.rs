//! A collector of spans (OTLP over gRPC) in this process.

use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    common::v1::{KeyValue, any_value::Value},
};
use prost::Message as _;
use tokio::runtime::Runtime;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, transport::Server};

/// A span that came in.
#[derive(Debug, Clone)]
pub struct Span {
    /// Which server it is of.
    pub server: String,
    pub name: String,
    /// In hexadecimal digits.
    pub trace: String,
    attributes: Vec<(String, String)>,
}

impl Span {
    /// Whether it has this attribute.
    pub fn is(&self, key: &str, value: &str) -> bool {
        self.attributes.iter().any(|(k, v)| (k.as_str(), v.as_str()) == (key, value))
    }
}

/// Collects until it is dropped.
pub struct Collector {
    spans: Arc<Mutex<Vec<Span>>>,
    exported: Arc<Mutex<Vec<u8>>>,
    port: u16,
    _runtime: Runtime,
}

impl Collector {
    pub fn start() -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let (runtime, spans) = (runtime.unwrap(), Arc::new(Mutex::new(Vec::new())));
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        let exported = Arc::default();
        let service = Service { spans: Arc::clone(&spans), exported: Arc::clone(&exported) };
        let service = TraceServiceServer::new(service);
        let incoming = TcpListenerStream::new(listener);
        runtime.spawn(Server::builder().add_service(service).serve_with_incoming(incoming));
        Self { spans, exported, port, _runtime: runtime }
    }

    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Everything that came in, as it was sent.
    pub fn exported(&self) -> Vec<u8> {
        self.exported.lock().unwrap().clone()
    }

    pub fn spans(&self) -> Vec<Span> {
        self.spans.lock().unwrap().clone()
    }
}

struct Service {
    spans: Arc<Mutex<Vec<Span>>>,
    exported: Arc<Mutex<Vec<u8>>>,
}

#[tonic::async_trait]
impl TraceService for Service {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let request = request.into_inner();
        self.exported.lock().unwrap().extend(request.encode_to_vec());
        for resource in request.resource_spans {
            let of_server = pairs(resource.resource.map(|resource| resource.attributes));
            let server = of_server.iter().find(|(key, _)| key == "service.instance.id");
            let server = server.map(|(_, name)| name.clone()).unwrap_or_default();
            for span in resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                let trace = span.trace_id.iter().map(|byte| format!("{byte:02x}")).collect();
                let attributes = pairs(Some(span.attributes));
                let (server, name) = (server.clone(), span.name);
                self.spans.lock().unwrap().push(Span { server, name, trace, attributes });
            }
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

fn pairs(attributes: Option<Vec<KeyValue>>) -> Vec<(String, String)> {
    let text = |pair: KeyValue| match pair.value.and_then(|value| value.value) {
        Some(Value::StringValue(text)) => (pair.key, text),
        _ => (pair.key, String::new()),
    };
    attributes.unwrap_or_default().into_iter().map(text).collect()
}
