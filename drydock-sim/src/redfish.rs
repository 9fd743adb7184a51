//! The Redfish side of the simulated machines: one HTTP service for each, with the machine behind it.
//!
//! As DSP0266 (the protocol) and DSP0268 (the schemas) have it, as far as a provisioner sees it: service root, sessions and basic
//! authentication, computer systems with boot override and reset, managers with virtual media, chassis with sensors, event log,
//! firmware inventory, tasks. How single makers depart from it is the table in [`quirks`].
//!
//! Not simulated: accounts, events, certificates, storage, BIOS settings, firmware updates, `$metadata`.

mod answer;
mod boot;
mod certificate;
mod chassis;
mod controller;
mod door;
mod media;
mod pace;
mod quirks;
mod read;
mod session;
mod system;
mod tasks;
mod write;

use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use self::media::Media;
use self::pace::Pace;
use self::quirks::Ways;
use self::session::Sessions;
use self::tasks::Tasks;
use crate::call_log::{Call, CallLog};
use crate::faults::{FaultBoard, MachineFaults};
use crate::machine::Machine;

pub(crate) use certificate::{Authority, Identity};

/// The Redfish service of one machine.
#[derive(Debug)]
pub(crate) struct Service {
    machine: Arc<Machine>,
    faults: FaultBoard,
    log: CallLog,
    state: Mutex<State>,
}

/// What a service remembers.
#[derive(Debug, Default)]
struct State {
    sessions: Sessions,
    media: Media,
    tasks: Tasks,
    pace: Pace,
    /// Requests so far.
    requests: u64,
}

impl Service {
    pub(crate) fn new(machine: Arc<Machine>, faults: FaultBoard, log: CallLog) -> Arc<Service> {
        Arc::new(Service {
            machine,
            faults,
            log,
            state: Mutex::default(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn faults(&self) -> MachineFaults {
        self.faults.machine(&self.machine.shape.name)
    }

    /// How it behaves at the moment.
    fn ways(&self) -> Ways {
        Ways::of(&self.faults())
    }

    fn note(&self, method: &str, path: &str, status: Option<u16>) {
        self.log.push(Call::Redfish {
            machine: self.machine.shape.name.clone(),
            method: method.to_owned(),
            path: path.to_owned(),
            status,
        });
    }
}

/// Serves on `listener` until `stop`.
pub(crate) async fn run(
    service: Arc<Service>,
    listener: TcpListener,
    identity: Option<Identity>,
    stop: CancellationToken,
) {
    let machine = service.machine.shape.name.clone();
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(%machine, %error, "the simulated Redfish service lost its socket");
            return;
        }
    };
    let tls = identity.map(|identity| TlsAcceptor::from(identity.config));
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            Some(ended) = connections.join_next() => {
                if let Err(error) = ended && error.is_panic() {
                    tracing::error!(%machine, %error, "a connection of a simulated Redfish service panicked");
                }
            }
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(Arc::clone(&service), stream, tls.clone()));
                }
                // A client that went away again, or too many open files: neither ends the service.
                Err(error) => tracing::warn!(%machine, %error, "the simulated Redfish service accepts no connection"),
            },
        }
    }
}

async fn connection(service: Arc<Service>, stream: TcpStream, tls: Option<TlsAcceptor>) {
    if service.unreachable().await {
        return;
    }
    match tls {
        None => converse(service, stream).await,
        Some(tls) => match tls.accept(stream).await {
            Ok(stream) => converse(service, stream).await,
            Err(error) => tracing::debug!(%error, "a TLS handshake failed"),
        },
    }
}

async fn converse<S: AsyncRead + AsyncWrite + Unpin>(service: Arc<Service>, stream: S) {
    let answer = service_fn(move |request| {
        let service = Arc::clone(&service);
        async move { door::handle(&service, request).await }
    });
    let served = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), answer)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection ended early");
    }
}
