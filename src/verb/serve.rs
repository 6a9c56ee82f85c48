use sluice_lakehouse::{ServeOptions, Server};
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::ServeArgs;
use crate::place::LakePlace;
use crate::{Exit, output};

pub(crate) async fn run(lake: &LakePlace, args: ServeArgs) -> anyhow::Result<Exit> {
    let lake = lake.open().await?;
    let options = ServeOptions { address: args.bind, token: args.token, read_write: args.read_write };
    let server = Server::bind(lake, options).await?;
    let mode = if args.read_write { "reading and writing" } else { "reading only" };
    output::line(&format!("Iceberg REST catalog at http://{} ({mode}); Ctrl-C stops it", server.address()?))?;
    let mut terminated = signal(SignalKind::terminate())?;
    let stop = async move {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminated.recv() => {}
        }
    };
    server.run(stop).await?;
    Ok(Exit::Done)
}
