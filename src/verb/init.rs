use std::path::PathBuf;

use anyhow::Context;
use sluice_lakehouse::{AuthSettings, CatalogSettings, Lake, LakeOptions, RestSettings};

use crate::cli::{AuthKind, CatalogKind, InitArgs};
use crate::place::LakePlace;
use crate::{Exit, output};

pub(crate) async fn run(args: InitArgs, work: Option<PathBuf>) -> anyhow::Result<Exit> {
    let dir = args.dir.clone();
    let place = LakePlace::new(dir.clone(), work);
    if let Some(uri) = place.uri() {
        anyhow::ensure!(args.tables_at.is_none(), "expected no `--tables-at`: a lake in a bucket has its tables there");
        let LakeOptions { catalog, .. } = options(args);
        let lake = place.init_remote(uri, catalog).await.with_context(|| format!("make a lake in `{uri}`"))?;
        return ready(&lake);
    }
    let is_embedded = args.catalog == CatalogKind::Embedded;
    anyhow::ensure!(!is_embedded || args.uri.is_none(), "expected `--catalog rest` with `--uri`, found `embedded`");
    // Without a word on either, a lake that is there may have any.
    let lake = match (&args.catalog, &args.tables_at) {
        (CatalogKind::Embedded, None) => Lake::init(&dir),
        _ => Lake::init_with(&dir, options(args)).await,
    };
    let lake = lake.with_context(|| format!("make a lake in `{}`", dir.display()))?;
    ready(&lake)
}

fn ready(lake: &Lake) -> anyhow::Result<Exit> {
    let shown = lake.place();
    output::line(&format!("lake ready in {shown}\nnext: sluice --lake {shown} land FILES-OR-FOLDERS"))?;
    Ok(Exit::Done)
}

fn options(args: InitArgs) -> LakeOptions {
    let tables = args.tables_at.clone();
    let catalog = match args.catalog {
        CatalogKind::Embedded => CatalogSettings::Embedded,
        CatalogKind::Rest => rest(args),
    };
    LakeOptions { catalog, tables }
}

fn rest(args: InitArgs) -> CatalogSettings {
    let auth = match args.auth {
        AuthKind::None => AuthSettings::None,
        AuthKind::Bearer => AuthSettings::Bearer { token_variable: args.secret_variable },
        AuthKind::Oauth2 => {
            AuthSettings::Oauth2 { credential_variable: args.secret_variable, uri: args.token_uri, scope: args.scope }
        }
        AuthKind::Sigv4 => AuthSettings::Sigv4 { service: args.signing_service, region: args.region },
    };
    let uri = args.uri.unwrap_or_default();
    CatalogSettings::Rest(RestSettings { uri, warehouse: args.warehouse, prefix: args.prefix, auth })
}
