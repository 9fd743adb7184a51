//! One UDP socket to one BMC: send, wait, send again, give up.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::{Instant, sleep_until, timeout_at};
use tracing::trace;

use crate::client::Target;
use crate::client::traffic::Traffic;
use crate::error::Error;

/// Larger than any datagram of this protocol; what is cut off would not have been valid.
const LARGEST_DATAGRAM: usize = 1024;

/// A request and what counts as its answer.
pub(crate) trait Dialogue {
    /// The answer.
    type Reply;

    /// The datagram of a try; `attempt` counts from 0. `None` sends nothing and only waits on.
    fn datagram(&mut self, attempt: u32) -> Option<Vec<u8>>;

    /// The answer in a datagram; `None` drops the datagram and the wait goes on.
    fn receive(&mut self, datagram: &[u8]) -> Option<Self::Reply>;
}

/// A connected socket, so that the kernel drops datagrams of others and reports closed ports.
#[derive(Debug)]
pub(crate) struct Link {
    socket: UdpSocket,
    addr: SocketAddr,
    timeout: Duration,
    tries: u32,
    /// Shortest time between two requests.
    gap: Duration,
    /// When the last request went out.
    last: Option<Instant>,
    traffic: Arc<Traffic>,
}

impl Link {
    pub(crate) async fn open(target: &Target) -> Result<Self, Error> {
        let addr = target.addr;
        let local: IpAddr = match addr {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let failed = |source| Error::Io {
            addr,
            attempted: "opening a UDP socket".to_owned(),
            source,
        };
        let socket = UdpSocket::bind((local, 0)).await.map_err(failed)?;
        socket
            .connect(addr)
            .await
            .map_err(|source| Error::Unreachable {
                addr,
                attempted: "opening a UDP socket".to_owned(),
                source,
            })?;
        Ok(Self {
            socket,
            addr,
            timeout: target.timeout,
            tries: target.retries.saturating_add(1),
            gap: target.gap,
            last: None,
            traffic: Arc::clone(&target.traffic),
        })
    }

    /// The shortest time between two requests from now on.
    pub(crate) fn set_gap(&mut self, gap: Duration) {
        self.gap = gap;
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Sends and waits, up to the number of tries; the first datagram that the dialogue takes is the answer.
    ///
    /// A port that the kernel reports as closed does not end the wait: a BMC that restarts closes its port for a while.
    pub(crate) async fn exchange<D: Dialogue>(
        &mut self,
        attempted: &str,
        dialogue: &mut D,
    ) -> Result<D::Reply, Error> {
        if let Some(last) = self.last.filter(|_| !self.gap.is_zero()) {
            sleep_until(last + self.gap).await;
        }
        self.last = Some(Instant::now());
        let mut refused = None;
        let mut sent = 0;
        for attempt in 0..self.tries {
            let deadline = Instant::now() + self.timeout;
            if let Some(datagram) = dialogue.datagram(attempt) {
                self.traffic.sent(sent == 0);
                sent += 1;
                if let Err(error) = self.socket.send(&datagram).await {
                    refused = Some(self.unless_fatal(attempted, error)?);
                }
            }
            // The clock is looked at before each datagram: a flood of them would keep the time-out from being seen.
            while Instant::now() < deadline
                && let Ok(received) = timeout_at(deadline, self.receive()).await
            {
                match received {
                    Ok(datagram) => {
                        if let Some(reply) = dialogue.receive(&datagram) {
                            return Ok(reply);
                        }
                        self.traffic.dropped();
                        trace!(bmc = %self.addr, attempted, "datagram dropped: not the awaited answer");
                    }
                    Err(error) => refused = Some(self.unless_fatal(attempted, error)?),
                }
            }
        }
        Err(match refused {
            Some(source) => Error::Unreachable {
                addr: self.addr,
                attempted: attempted.to_owned(),
                source,
            },
            None => Error::Timeout {
                addr: self.addr,
                attempted: attempted.to_owned(),
                sent,
                waited: self.timeout.saturating_mul(self.tries),
            },
        })
    }

    /// Sends one datagram without waiting for anything; what cannot be sent at once is given up.
    pub(crate) fn send_once(&self, datagram: &[u8]) {
        if let Err(error) = self.socket.try_send(datagram) {
            trace!(bmc = %self.addr, %error, "a last datagram could not be sent");
        }
    }

    async fn receive(&self) -> io::Result<Vec<u8>> {
        let mut buffer = [0u8; LARGEST_DATAGRAM];
        let len = self.socket.recv(&mut buffer).await?;
        Ok(buffer.get(..len).unwrap_or_default().to_vec())
    }

    /// Errors that tell about the network path may pass; others are about this host.
    fn unless_fatal(&self, attempted: &str, error: io::Error) -> Result<io::Error, Error> {
        use io::ErrorKind::{
            ConnectionRefused, ConnectionReset, HostUnreachable, NetworkDown, NetworkUnreachable,
        };
        match error.kind() {
            ConnectionRefused | ConnectionReset | HostUnreachable | NetworkDown
            | NetworkUnreachable => Ok(error),
            _ => Err(Error::Io {
                addr: self.addr,
                attempted: attempted.to_owned(),
                source: error,
            }),
        }
    }
}
