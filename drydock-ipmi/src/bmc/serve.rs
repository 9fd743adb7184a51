//! The UDP loop around a [`Bmc`].

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tracing::trace;

use crate::bmc::{Bmc, Faults};

/// Larger than any datagram of this protocol; what is cut off would not have been valid.
const LARGEST_DATAGRAM: usize = 1024;

/// What [`Faults::delay`] is cut to, so that no clock overflows.
const LONGEST_DELAY: Duration = Duration::from_secs(3600);

/// Answers datagrams until `shutdown` is ready.
///
/// # Errors
///
/// What the socket reports, except that a console has closed its port.
pub async fn serve(
    socket: UdpSocket,
    bmc: Bmc,
    faults: Faults,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let (_keep, faults) = watch::channel(faults);
    serve_with(socket, bmc, faults, shutdown).await
}

/// Like [`serve`], with faults that can be changed while the loop runs; each datagram sees the faults of its moment.
///
/// # Errors
///
/// As [`serve`].
pub async fn serve_with(
    socket: UdpSocket,
    bmc: Bmc,
    faults: watch::Receiver<Faults>,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let mut port = Port {
        bmc,
        start: Instant::now(),
        requests: 0,
        answers: 0,
        previous: None,
        pending: VecDeque::new(),
    };
    let mut buffer = [0u8; LARGEST_DATAGRAM];
    tokio::pin!(shutdown);
    loop {
        // Only a delay makes a datagram wait; far away when none does.
        let due = port.pending.front().map(|(due, ..)| *due);
        let wake = due.unwrap_or_else(|| Instant::now() + LONGEST_DELAY);
        tokio::select! {
            () = &mut shutdown => return Ok(()),
            () = sleep_until(wake), if due.is_some() => {
                if let Some((_, peer, datagram)) = port.pending.pop_front() {
                    send(&socket, peer, &datagram).await?;
                }
            }
            received = socket.recv_from(&mut buffer) => match received {
                Ok((len, peer)) => {
                    let now = *faults.borrow();
                    let answers = port.receive(now, peer, buffer.get(..len).unwrap_or_default());
                    for datagram in answers {
                        if now.delay.is_zero() {
                            send(&socket, peer, &datagram).await?;
                        } else {
                            let due = Instant::now() + now.delay.min(LONGEST_DELAY);
                            port.pending.push_back((due, peer, datagram));
                        }
                    }
                }
                Err(error) if is_about_peer(&error) => {}
                Err(error) => return Err(error),
            },
        }
    }
}

/// The BMC with its fault counts and its delayed answers.
struct Port {
    bmc: Bmc,
    start: Instant,
    requests: u64,
    answers: u64,
    previous: Option<Vec<u8>>,
    pending: VecDeque<(Instant, SocketAddr, Vec<u8>)>,
}

impl Port {
    /// The datagrams to send for one that came in, faults applied.
    fn receive(&mut self, faults: Faults, peer: SocketAddr, datagram: &[u8]) -> Vec<Vec<u8>> {
        if faults.silent {
            return Vec::new();
        }
        self.requests += 1;
        if Faults::hits(faults.drop_request_every, self.requests) {
            trace!(%peer, "request dropped on purpose");
            return Vec::new();
        }
        let now = self.start.elapsed();
        let mut answers = self.bmc.handle(now, peer, datagram);
        if Faults::hits(faults.duplicate_request_every, self.requests) {
            answers.extend(self.bmc.handle(now, peer, datagram));
        }
        answers
            .into_iter()
            .flat_map(|answer| self.send_through(faults, answer))
            .collect()
    }

    fn send_through(&mut self, faults: Faults, answer: Vec<u8>) -> Vec<Vec<u8>> {
        self.answers += 1;
        let mut out = Vec::new();
        let previous = self.previous.replace(answer.clone());
        if Faults::hits(faults.stale_every, self.answers) {
            out.extend(previous);
        }
        if Faults::hits(faults.duplicate_every, self.answers) {
            out.push(answer.clone());
        }
        if !Faults::hits(faults.drop_every, self.answers) {
            out.push(answer);
        }
        out
    }
}

async fn send(socket: &UdpSocket, peer: SocketAddr, datagram: &[u8]) -> io::Result<()> {
    match socket.send_to(datagram, peer).await {
        Err(error) if !is_about_peer(&error) => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Errors that one console causes and that must not end the loop for the others.
fn is_about_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionRefused, ConnectionReset, HostUnreachable, NetworkUnreachable, PermissionDenied,
    };
    matches!(
        error.kind(),
        ConnectionRefused
            | ConnectionReset
            | HostUnreachable
            | NetworkUnreachable
            | PermissionDenied
    )
}
