//! Models on SageMaker endpoints.

use crate::{
    rejected::{self, Rejected},
    sentiment::Models,
    warm,
};
use aws_sdk_sagemakerruntime::{Client, operation::invoke_endpoint::InvokeEndpointError, primitives::Blob};

/// Models on SageMaker endpoints, which run the Hugging Face inference container.
#[derive(Debug, Clone)]
pub struct SageMaker {
    client: Client,
}

const JSON: &str = "application/json";

impl SageMaker {
    /// Invokes endpoints by this client.
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// Connects, so that the first request need not wait for it. Whether it works doesn't matter.
    pub async fn warm(&self) {
        let request = self.client.invoke_endpoint().endpoint_name("ping").body(Blob::new([]));
        let _ = request.customize().mutate_request(warm::ping).send().await;
    }
}

impl Models for SageMaker {
    async fn invoke(&self, endpoint: &str, body: Vec<u8>) -> Result<Vec<u8>, Rejected> {
        let request = self.client.invoke_endpoint().endpoint_name(endpoint).content_type(JSON).accept(JSON);
        match request.body(Blob::new(body)).send().await {
            Ok(answer) => Ok(answer.body.map(Blob::into_inner).unwrap_or_default()),
            Err(error) => Err(match error.as_service_error() {
                Some(InvokeEndpointError::ModelError(model)) => of_model(model),
                _ => rejected::rejected(&error),
            }),
        }
    }
}

/// The container answered something else than 200: with 5xx it is broken or overloaded, with 4xx it could not run the
/// model on what it got.
fn of_model(error: &aws_sdk_sagemakerruntime::types::error::ModelError) -> Rejected {
    let status = error.original_status_code.unwrap_or(500);
    let message = error.original_message.as_deref().or(error.message.as_deref()).unwrap_or("no message");
    if (400..500).contains(&status) {
        Rejected::Refused(message.to_owned())
    } else {
        Rejected::Busy(format!("the model answered {status}: {message}"))
    }
}
