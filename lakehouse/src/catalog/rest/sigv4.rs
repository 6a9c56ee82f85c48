//! AWS signature version 4, for the Iceberg endpoints of Glue and S3 Tables.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, SignableBody, SignableRequest, SigningParams, SigningSettings, sign,
};
use aws_sigv4::sign::v4;
use reqwest::Request;
use reqwest::header::{HeaderName, HeaderValue};
use sluice_durable::clock;
use tokio::sync::Mutex;

use super::RestError;

/// Credentials that expire are fetched anew this long before.
const MARGIN: Duration = Duration::from_secs(120);

/// Signs requests with the credentials that the AWS settings of this machine give.
pub(super) struct Signer {
    config: SdkConfig,
    service: String,
    region: String,
    credentials: Mutex<Option<Credentials>>,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer").field("service", &self.service).field("region", &self.region).finish_non_exhaustive()
    }
}

impl Signer {
    pub(super) async fn new(service: String, region: Option<String>) -> Result<Self, RestError> {
        let config = crate::aws::config().await;
        let region = region.or_else(|| config.region().map(|region| region.as_ref().to_owned())).ok_or_else(|| {
            let detail =
                "expected the region of the catalog in `auth.region` of `lake.json` or in AWS_REGION, found none";
            RestError::Settings(detail.to_owned())
        })?;
        Ok(Self { config, service, region, credentials: Mutex::default() })
    }

    pub(super) async fn sign(&self, request: &mut Request) -> Result<(), RestError> {
        let identity = self.credentials().await?.into();
        let mut settings = SigningSettings::default();
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        let params: SigningParams<'_> = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(&self.service)
            .time(now())
            .settings(settings)
            .build()
            .map_err(|error| failed(error.into()))?
            .into();
        let body = request.body().and_then(reqwest::Body::as_bytes).unwrap_or_default();
        let headers = request.headers().iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        let signable =
            SignableRequest::new(request.method().as_str(), request.url().as_str(), headers, SignableBody::Bytes(body))
                .map_err(|error| failed(error.into()))?;
        let (instructions, _signature) = sign(signable, &params).map_err(|error| failed(error.into()))?.into_parts();
        let (headers, _params) = instructions.into_parts();
        for header in headers {
            let mut value = HeaderValue::from_str(header.value()).map_err(|error| failed(error.into()))?;
            value.set_sensitive(header.sensitive());
            request.headers_mut().insert(HeaderName::from_static(header.name()), value);
        }
        Ok(())
    }

    /// Forgets the credentials, so that they are looked up again.
    pub(super) async fn forget(&self) -> bool {
        self.credentials.lock().await.take().is_some()
    }

    async fn credentials(&self) -> Result<Credentials, RestError> {
        let mut known = self.credentials.lock().await;
        let is_fresh = |known: &&Credentials| known.expiry().is_none_or(|at| now() + MARGIN < at);
        if let Some(known) = known.as_ref().filter(is_fresh) {
            return Ok(known.clone());
        }
        let action = "find AWS credentials to sign requests to the catalog";
        let provider = self.config.credentials_provider().ok_or_else(|| RestError::Credentials {
            action,
            source: "expected a provider of credentials, found none".into(),
        })?;
        let found = provider
            .provide_credentials()
            .await
            .map_err(|error| RestError::Credentials { action, source: Box::new(error) })?;
        *known = Some(found.clone());
        Ok(found)
    }
}

fn failed(source: Box<dyn std::error::Error + Send + Sync>) -> RestError {
    RestError::Credentials { action: "sign a request to the catalog", source }
}

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_micros(u64::try_from(clock::now_micros()).unwrap_or_default())
}
