//! Object stores, opened when first needed, with the region, endpoint and credentials that every AWS tool finds.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_credential_types::provider::ProvideCredentials;
use object_store::aws::{AmazonS3Builder, AwsCredential};
use object_store::{CredentialProvider, ObjectStore, Result};
use tokio::sync::Mutex;

const STORE: &str = "S3";
/// What a store of one's own takes for any region.
const REGION_DEFAULT: &str = "us-east-1";

/// The stores of the buckets seen so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Buckets {
    opened: Arc<Mutex<HashMap<String, Arc<dyn ObjectStore>>>>,
}

impl Buckets {
    /// The store of a bucket.
    pub(crate) async fn open(&self, bucket: &str) -> Result<Arc<dyn ObjectStore>> {
        let mut opened = self.opened.lock().await;
        if let Some(store) = opened.get(bucket) {
            return Ok(Arc::clone(store));
        }
        let config = crate::aws::config().await;
        let endpoint = crate::aws::s3_endpoint(&config);
        let region = config.region().map_or_else(|| REGION_DEFAULT.to_owned(), |region| region.as_ref().to_owned());
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(bucket)
            .with_region(region)
            .with_credentials(Arc::new(Credentials { config }));
        if let Some(endpoint) = endpoint {
            builder = builder.with_allow_http(endpoint.starts_with("http://")).with_endpoint(endpoint);
        }
        let store: Arc<dyn ObjectStore> = Arc::new(builder.build()?);
        opened.insert(bucket.to_owned(), Arc::clone(&store));
        Ok(store)
    }
}

/// The AWS settings of this machine as a source of credentials.
#[derive(Debug)]
struct Credentials {
    config: SdkConfig,
}

#[async_trait]
impl CredentialProvider for Credentials {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> Result<Arc<AwsCredential>> {
        let unauthenticated = |source| object_store::Error::Generic { store: STORE, source };
        let provider = self
            .config
            .credentials_provider()
            .ok_or_else(|| unauthenticated("expected a provider of AWS credentials, found none".into()))?;
        let found = provider.provide_credentials().await.map_err(|error| unauthenticated(Box::new(error)))?;
        Ok(Arc::new(AwsCredential {
            key_id: found.access_key_id().to_owned(),
            secret_key: found.secret_access_key().to_owned(),
            token: found.session_token().map(str::to_owned),
        }))
    }
}
