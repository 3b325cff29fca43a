//! Directory: says who this server is.

use std::sync::Arc;

use proto::{
    MAX_MEASURE,
    v1::{
        DescribeRequest, DescribeResponse, MeasureRequest, MeasureResponse, RosterEntry,
        directory_server::Directory,
    },
};
use tonic::{Request, Response, Status};

use super::status::RpcError;
use crate::node::Node;

/// The `Directory` service.
pub struct DirectoryService(pub Arc<Node>);

#[tonic::async_trait]
impl Directory for DirectoryService {
    async fn describe(
        &self,
        request: Request<DescribeRequest>,
    ) -> Result<Response<DescribeResponse>, Status> {
        let node = &self.0;
        let _place = node.admit(&request).map_err(RpcError::from)?;
        let roster = node.config.roster.servers().iter().map(|server| RosterEntry {
            name: server.name.clone(),
            identity: server.identity.0.to_vec().into(),
        });
        Ok(Response::new(DescribeResponse {
            name: node.name().to_owned(),
            version: env!("CARGO_PKG_VERSION").into(),
            protocol_min: *node.greeting.protocol.start(),
            protocol_max: *node.greeting.protocol.end(),
            identity: node.signer().public().0.to_vec().into(),
            roster_hash: node.greeting.roster_hash.to_vec().into(),
            unix_ms: node.clock.now_ms(),
            roster: roster.collect(),
        }))
    }

    async fn measure(
        &self,
        request: Request<MeasureRequest>,
    ) -> Result<Response<MeasureResponse>, Status> {
        let node = &self.0;
        // Any call brings its bytes; these are limited more closely than others, and cost no work.
        let _place = node.admit(&request).map_err(RpcError::from)?;
        if request.get_ref().filler.len() > MAX_MEASURE {
            return Err(RpcError::Invalid("filler: longer than 512 KiB").into());
        }
        Ok(Response::new(MeasureResponse {}))
    }
}
