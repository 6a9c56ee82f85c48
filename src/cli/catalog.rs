//! Which catalog a lake has, and serving it.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

pub(super) const INIT_EXAMPLES: &str = "Examples:
  sluice init my-lake
  sluice init my-lake --tables-at s3://bucket/lake
  sluice init my-lake --catalog rest --uri http://127.0.0.1:8181
  sluice init s3://bucket/lake --catalog rest --uri http://127.0.0.1:8181
  CATALOG_TOKEN=... sluice init my-lake --catalog rest --uri https://catalog.example.org/iceberg \\
      --warehouse lab --auth bearer --secret-variable CATALOG_TOKEN
  sluice init my-lake --catalog rest --uri https://glue.eu-west-1.amazonaws.com/iceberg \\
      --warehouse 123456789012 --auth sigv4 --signing-service glue --region eu-west-1";

#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// Folder to make it in, or `s3://bucket/prefix` for a lake that lies in a bucket with everything it has.
    pub(crate) dir: PathBuf,
    /// Where the tables lie, as `s3://bucket/prefix`; in the folder where absent. Region, credentials and endpoint
    /// are those of every AWS tool (AWS_REGION, AWS_ENDPOINT_URL ...).
    #[arg(long, value_name = "URI")]
    pub(crate) tables_at: Option<String>,
    /// What says which metadata is a table's current one.
    #[arg(long, value_enum, default_value_t, value_name = "KIND")]
    pub(crate) catalog: CatalogKind,
    /// REST: everything before `/v1`.
    #[arg(long, required_if_eq("catalog", "rest"), requires = "catalog")]
    pub(crate) uri: Option<String>,
    /// REST: which of the server's warehouses.
    #[arg(long, requires = "uri", value_name = "NAME")]
    pub(crate) warehouse: Option<String>,
    /// REST: path after `/v1`, where the server does not say it.
    #[arg(long, requires = "uri", value_name = "PATH")]
    pub(crate) prefix: Option<String>,
    /// REST: how requests prove who sent them.
    #[arg(long, value_enum, default_value_t, requires = "uri", value_name = "KIND")]
    pub(crate) auth: AuthKind,
    /// Environment variable that holds the bearer token, or `id:secret` for OAuth2; the secret itself is not stored.
    #[arg(long, default_value = "SLUICE_CATALOG_SECRET", value_name = "NAME")]
    pub(crate) secret_variable: String,
    /// OAuth2: where tokens are given out, where it is not the catalog.
    #[arg(long, requires = "uri", value_name = "URI")]
    pub(crate) token_uri: Option<String>,
    /// OAuth2: what the token is for.
    #[arg(long, requires = "uri")]
    pub(crate) scope: Option<String>,
    /// SigV4: `glue` or `s3tables`.
    #[arg(long, requires = "uri", default_value = "glue", value_name = "NAME")]
    pub(crate) signing_service: String,
    /// SigV4: region of the catalog, where it is not that of the AWS settings.
    #[arg(long, requires = "uri")]
    pub(crate) region: Option<String>,
}

/// Kinds of catalogs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum CatalogKind {
    /// A SQLite file in the lake.
    #[default]
    Embedded,
    /// An Iceberg REST catalog.
    Rest,
}

/// How requests to a REST catalog prove who sent them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum AuthKind {
    /// Not at all.
    #[default]
    None,
    /// A token.
    Bearer,
    /// OAuth2 client credentials.
    Oauth2,
    /// AWS signatures.
    Sigv4,
}

pub(super) const SERVE_EXAMPLES: &str = "Examples:
  sluice --lake my-lake serve
  PyIceberg:  RestCatalog(\"lake\", uri=\"http://127.0.0.1:8181\")
  DuckDB:     ATTACH '' AS lake (TYPE iceberg, ENDPOINT 'http://127.0.0.1:8181', AUTHORIZATION_TYPE 'none')
  SLUICE_SERVE_TOKEN=... sluice --lake my-lake serve --bind 0.0.0.0:8181 --read-write";

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Where to listen; port 0 takes a free one. An address that others can reach needs a token.
    #[arg(long, default_value = "127.0.0.1:8181", value_name = "ADDRESS")]
    pub(crate) bind: SocketAddr,
    /// What requests must bear (`Authorization: Bearer TOKEN`).
    #[arg(long, env = "SLUICE_SERVE_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
    /// Let engines make and change tables, too.
    #[arg(long)]
    pub(crate) read_write: bool,
}
