//! The commands of the program.

use std::process::ExitCode;

use crate::app::{self, App, Parts};
use crate::config::Config;
use crate::error::Result;
use crate::http::{router, server};

/// Runs the command that the arguments name.
pub fn main() -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("guildhall: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(serve(Config::default())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("guildhall: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(config: Config) -> Result<()> {
    let app = App::open(config, Parts::default())?;
    app.db().migrate().await?;
    let listener = tokio::net::TcpListener::bind(app.config().listen).await?;
    let edge = router(app.clone(), app::operations());
    server::serve(listener, edge, server::Limits::default(), async {
        let _ = tokio::signal::ctrl_c().await;
    })
    .await?;
    Ok(())
}
