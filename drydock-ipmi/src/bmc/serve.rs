//! The UDP loop around a [`Bmc`].

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tracing::trace;

use crate::bmc::faults::Dice;
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
    let mut port = Port::new(bmc);
    let mut buffer = [0u8; LARGEST_DATAGRAM];
    tokio::pin!(shutdown);
    loop {
        // Only a delay makes a datagram wait; far away when none does.
        let due = port.pending.first_key_value().map(|((due, _), _)| *due);
        let wake = due.unwrap_or_else(|| Instant::now() + LONGEST_DELAY);
        tokio::select! {
            () = &mut shutdown => return Ok(()),
            () = sleep_until(wake), if due.is_some() => {
                if let Some((_, (peer, datagram))) = port.pending.pop_first() {
                    send(&socket, peer, &datagram).await?;
                }
            }
            received = socket.recv_from(&mut buffer) => match received {
                Ok((len, peer)) => {
                    let now = *faults.borrow();
                    let answers = port.receive(now, peer, buffer.get(..len).unwrap_or_default());
                    for (delay, datagram) in answers {
                        if delay.is_zero() {
                            send(&socket, peer, &datagram).await?;
                        } else {
                            port.send_later(delay, peer, datagram);
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
    /// By the moment they are due and their number.
    pending: BTreeMap<(Instant, u64), (SocketAddr, Vec<u8>)>,
    delayed: u64,
    dice: Dice,
    /// When the requests of the last second came; kept only while too many would be one too much.
    recent: VecDeque<Instant>,
    /// Until when it restarts.
    away: Option<Instant>,
}

impl Port {
    fn new(mut bmc: Bmc) -> Self {
        let [a, b, c, d, e, f, g, h, ..] = bmc.nonces.block();
        Self {
            bmc,
            start: Instant::now(),
            requests: 0,
            answers: 0,
            previous: None,
            pending: BTreeMap::new(),
            delayed: 0,
            dice: Dice::new(u64::from_le_bytes([a, b, c, d, e, f, g, h])),
            recent: VecDeque::new(),
            away: None,
        }
    }

    fn send_later(&mut self, delay: Duration, peer: SocketAddr, datagram: Vec<u8>) {
        self.delayed += 1;
        let due = Instant::now() + delay.min(LONGEST_DELAY);
        self.pending.insert((due, self.delayed), (peer, datagram));
    }

    /// Whether the BMC has fallen over, now or a while ago.
    fn is_away(&mut self, faults: &Faults) -> bool {
        let now = Instant::now();
        if self.away.is_some_and(|until| now < until) {
            return true;
        }
        self.away = None;
        let Some(limit) = faults.crashes_above else {
            self.recent.clear();
            return false;
        };
        let second = Duration::from_secs(1);
        while self
            .recent
            .front()
            .is_some_and(|at| now.duration_since(*at) >= second)
        {
            self.recent.pop_front();
        }
        self.recent.push_back(now);
        if self.recent.len() <= usize::try_from(limit).unwrap_or(usize::MAX) {
            return false;
        }
        trace!(limit, "too many requests: the BMC restarts");
        self.recent.clear();
        self.away = Some(now + faults.restart().min(LONGEST_DELAY));
        self.pending.clear();
        self.bmc.restart();
        true
    }

    /// The datagrams to send for one that came in, faults applied, and how long each takes.
    fn receive(
        &mut self,
        faults: Faults,
        peer: SocketAddr,
        datagram: &[u8],
    ) -> Vec<(Duration, Vec<u8>)> {
        if faults.silent {
            return Vec::new();
        }
        self.requests += 1;
        if Faults::hits(faults.drop_request_every, self.requests)
            || self.dice.fall(faults.loss_per_mille)
        {
            trace!(%peer, "request dropped on purpose");
            return Vec::new();
        }
        let twice = Faults::hits(faults.duplicate_request_every, self.requests)
            || self.dice.fall(faults.duplicate_per_mille);
        let mut answers = Vec::new();
        for _ in 0..(1 + u8::from(twice)) {
            if self.is_away(&faults) {
                return Vec::new();
            }
            self.bmc.busy_every = faults.busy_every;
            self.bmc.slots_taken = faults.slots_taken;
            let now = self.start.elapsed();
            answers.extend(self.bmc.handle(now, peer, datagram));
        }
        answers
            .into_iter()
            .flat_map(|answer| self.send_through(&faults, answer))
            .collect()
    }

    fn send_through(&mut self, faults: &Faults, answer: Vec<u8>) -> Vec<(Duration, Vec<u8>)> {
        self.answers += 1;
        let mut out = Vec::new();
        let previous = self.previous.replace(answer.clone());
        if Faults::hits(faults.stale_every, self.answers) {
            out.extend(previous);
        }
        if Faults::hits(faults.duplicate_every, self.answers)
            || self.dice.fall(faults.duplicate_per_mille)
        {
            out.push(answer.clone());
        }
        if !Faults::hits(faults.drop_every, self.answers) {
            out.push(answer);
        }
        out.into_iter()
            .filter_map(|answer| {
                if self.dice.fall(faults.loss_per_mille) {
                    return None;
                }
                let held = self.dice.fall(faults.reorder_per_mille);
                let more = if held {
                    faults.held_back()
                } else {
                    Duration::ZERO
                };
                Some((faults.delay.saturating_add(more), answer))
            })
            .collect()
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
