//! What every AWS client starts from: the settings of this machine, over one TLS stack.

use std::sync::OnceLock;

use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;

static S3_ENDPOINT: OnceLock<String> = OnceLock::new();

/// Region and credentials as every AWS tool finds them: environment, profile files, the machine's role.
pub async fn config() -> SdkConfig {
    let http = aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    aws_config::defaults(BehaviorVersion::latest()).http_client(http).load().await
}

/// Names the S3 server of this process, before the first request. The first word counts.
pub fn set_s3_endpoint(url: String) {
    let _first = S3_ENDPOINT.get_or_init(|| url);
}

/// The S3 server that was named to this process: by [`set_s3_endpoint`], by `AWS_ENDPOINT_URL_S3`, by the settings.
pub(crate) fn s3_endpoint(config: &SdkConfig) -> Option<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "a setting of every AWS tool, which the shared configuration leaves to the client"
    )]
    let of_service = || std::env::var("AWS_ENDPOINT_URL_S3").ok().filter(|url| !url.is_empty());
    S3_ENDPOINT.get().cloned().or_else(of_service).or_else(|| config.endpoint_url().map(str::to_owned))
}
