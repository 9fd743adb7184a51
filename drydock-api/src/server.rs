//! The HTTP server.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use actix_web::dev::{Server, ServerHandle};
use actix_web::middleware::{NormalizePath, TrailingSlash, from_fn};
use actix_web::{App, HttpServer, web};
use tokio_util::sync::CancellationToken;

use crate::error::ApiError;
use crate::request;
use crate::routes;
use crate::state::ApiState;

/// Threads that serve requests. The work is waiting for the store, so two do.
const WORKERS: usize = 2;

/// Takes an address for the API. Port 0 takes a free one; the address taken comes back with it.
///
/// # Errors
/// [`io::ErrorKind::PermissionDenied`] for an address beyond loopback: as long as the API has no access control, nobody else may reach it.
/// Otherwise what binding says.
pub fn bind(listen: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    if !listen.ip().is_loopback() {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!(
                "api.listen is {listen}, which others can reach, and the API has no access control yet: \
                 listen on 127.0.0.1 or ::1 (for instance behind a proxy that authenticates)"
            ),
        ));
    }
    let listener = TcpListener::bind(listen)
        .map_err(|error| io::Error::new(error.kind(), format!("api.listen {listen}: {error}")))?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// Cancelled when the server is to end: answers without an end of their own end then.
#[derive(Clone, Default)]
pub(crate) struct Closing(pub(crate) CancellationToken);

/// A server, not yet running.
pub struct Api(Server, Closing);

/// Ends a running server.
#[derive(Clone)]
pub struct ApiHandle(ServerHandle, Closing);

impl ApiHandle {
    /// Takes no more requests, answers those it has, ends.
    pub async fn stop(&self) {
        self.1.0.cancel();
        self.0.stop(true).await;
    }
}

impl Api {
    /// On a bound address.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn new(listener: TcpListener, state: Arc<ApiState>) -> io::Result<Self> {
        let state = web::Data::from(state);
        let closing = Closing::default();
        let for_handlers = web::Data::new(closing.clone());
        let server = HttpServer::new(move || {
            App::new()
                .app_data(state.clone())
                .app_data(for_handlers.clone())
                .app_data(web::PathConfig::default().error_handler(|error, _| {
                    ApiError::not_found(format!("the path is malformed: {error}")).into()
                }))
                .wrap(NormalizePath::new(TrailingSlash::Trim))
                .wrap(from_fn(request::identify))
                .configure(routes::configure)
                .default_service(web::to(routes::unknown))
        })
        .workers(WORKERS)
        // The binary decides about signals: the engine has to drain, too.
        .disable_signals()
        .shutdown_timeout(5)
        .listen(listener)?
        .run();
        Ok(Api(server, closing))
    }

    /// What ends it.
    #[must_use]
    pub fn handle(&self) -> ApiHandle {
        ApiHandle(self.0.handle(), self.1.clone())
    }

    /// Serves until it is ended.
    ///
    /// # Errors
    /// What the operating system says.
    pub async fn run(self) -> io::Result<()> {
        self.0.await
    }
}
